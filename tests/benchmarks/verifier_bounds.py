"""The caller's time for hostile responses: ``python tests/benchmarks/verifier_bounds.py [COUNT] [SEED]``.

Whatever a model writes, extraction and the verifiers that run inline may take a quarter of a second of the calling
thread's CPU time. Responses of up to 100,000 characters nest every production of the grammar of answers, pump every
regular expression of the extraction and of the plugins' verifiers, repeat pieces of mathematics, and pair large sets.
Prints the ten slowest and exits with 1 if one took longer.
"""

from __future__ import annotations

import ast
import gc
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from re import _constants as codes, _parser  # type: ignore[attr-defined]
from typing import Any, get_args

import openvlt.extraction
import openvlt_plugins
from openvlt import Claim, Completion, Example, Format, Trace, Verdict, Verifier, extract, parse
from openvlt.extraction import Reading
from openvlt.registry import Built, Registry
from openvlt.verification import VerifierRunner

LIMIT = 0.25
LONGEST = 100_000
SIZES = (20, 60, 200, 700, 2_000, 3_990, 3_990, 20_000, LONGEST)
MODULES = (
    "answers",
    "shaping",
    "mathvista",
    "mathverse",
    "mathvision",
    "emma",
    "mmmu_pro",
    "hallusionbench",
    "qa",
    "r1v",
)

NESTS = [  # every production that contains itself, at @
    "(@)", "[@]", "{@}", "\\{@\\}", "|@|", "\\left(@\\right)", "\\frac{@}{2}", "\\frac{1}{@}",
    "\\sqrt{@}", "\\sqrt[3]{@}", "\\sqrt[@]{2}", "2^{@}", "x_{@}", "\\sin(@)", "\\sin @", "\\log_{@}2",
    "\\binom{@}{2}", "-@", "+@", "\\pm @", "@!", "@%", "@^\\circ", "@^2", "A(@)", "P(@, 1)", "f(@)",
    "\\text{@}", "\\boxed{@}", "\\mathrm{@}", "\\begin{pmatrix}@&1\\\\2&3\\end{pmatrix}", "x = @", "Area = @",
    "the area is @", "@ cm", "@/2", "2/@", "@*2", "@x", "x@", "@ + 1", "@, 1", "@ and 1", "@ or 1", "@:2",
    "@ < x", "x \\in @", "@ \\cup (1,2)", "@ \\approx 2", "\\overline{@}", "$@$", "**@**", "`@`", "\"@\"",
    "(@ (see it))", "@, because it is", "minus @", "two @", "@ apples", "half @", "5 ft @", "@ per @", "@ = @",
    "(@@)", "<sup>@</sup>", "\\ce{@}", "]@, 1[", "\\{x \\mid @\\}", "|@", "@|", "(@", "@)", "\\frac@", "@^",
    "$@", "-$@", "\\$@", "@ dollars", "@ hundred", "two hundred and @", "twenty-@", "@ and a half", "1 @/2", "1\\frac12 @", "@ in all",
    "@ h 5 min", "@ degrees C", "@ m s^{-1}", "@^{-1}", "@''", "1.\\overline{@}", "@ squared", "square @", "@ million", "@ thirds",
    "\\left[\\begin{array}{c}@\\\\1\\end{array}\\right]", "\\sin^{-1}@", "\\sin^2 @", "x_@", "@_{1}", "@!=1", "N @^\\circ W", "@\\cup@",
    "\\{@:x\\}", "(@, @)", "@;@", "\\angle @", "a@b", "ab@", "\\mp @", "e^{@}", "@\\\\@", "@&@", "is @", "\\frac@2", "\\frac1@", "not @",
]  # fmt: skip
CORES = ["", "1", "x", "5 cm", "\\pi", "1,2", "A", "x>1", "abc", "-", "0.5", "9" * 290, "2500!", "(x+1)^{16}", "一", "two hundred and five",
         "1 3/4", "3\\frac12", "$5", "5°30'", "2 h 30 min", "0.1666...", "1,234", "3.\\overline{3}", "∞", "\\emptyset", "N", "θ²"]  # fmt: skip
PIECES = [
    "^", "**", " **a", "{", "}", "(", ")", "A(", "9", "!", "\\frac", "\\sqrt", "x", "=", ",", "%", "e", ":", " ", "\n", "\\", "|",
    "1 and ", "\\text{", "\\{", "[", "]", "~", "\t", ".", "1.", "1,234", "-", "\\pm", "5 ft ", "$", "# ", "is ", "the answer is ",
    "</answer>", "<answer>", "<think>", "</think>", "\\boxed{", "OXED{", "oxed{", "B) ", "(B", "B or ", "not ", "yes ", "no, ", "\\circ",
    "\u00b0", "'", "\"", "1e9", "x_", "_{", "sin ", "\\in", "<", ">", "&", "\\\\", "\u4e00", "\u662f", "\u9009", "\u00b2", "\u2080", "\u00bd",
    "\\begin{pmatrix}", "\\overline{", "0.3", "33", "...", "\\dots", "/", "per ", "cm ", "half ", "two ", "hundred ", "isn't ",
]  # fmt: skip
TERMS = ["\\sqrt{{{n}}}", "(x+{n})^{{{k}}}", "\\sin({n}x)", "{n}x^{k}", "\\frac{{x+{n}}}{{y-{k}}}", "e^{{{n}x}}", "{n}", "{n}!",
         "x_{{{n}}}", "({n}, {k})", "\\ln({n}+x)", "{n} cm", "{big}", "{big}x", "\\{{{n}, x\\}}"]  # fmt: skip
GOLDS = [
    ("1", {}), ("42", {}), ("\\frac{1}{2}", {}), ("x^2+1", {}), ("\\{1,2,3\\}", {}), ("(0,1)", {}), ("B", {}), ("yes", {}),
    ("5 cm", {}), ("\\sin x+\\ln y", {}), ("\\pi^{e}", {}), ("8:30", {}), ("May 5, 2015", {}), ("2014-2016", {}), ("H2O", {}),
    ("red car", {}), ("3rd", {}), ("y = 2x+1", {}), ("1 < x < 2", {}), ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", {}),
    ("B", {"choices": ("12", "x+1", "\\sqrt{2}", "12 cm")}), ("A", {"choices": tuple("choice number " + c for c in "abcdefghij")}),
    ("3.14", {"answer_type": "float", "precision": 2}), ("7", {"answer_type": "integer"}), ("1, 2", {"answer_type": "list"}),
    ("1, x+1", {"answer_type": "list"}), ("red", {"answer_type": "text"}), ("no", {"answer_type": "yes_no"}),
    ("[10, 20, 30, 40]", {"answer_type": "box"}), ("[10, 20]", {"answer_type": "point"}), ("red car", {"answer_type": "ocr"}),
    ("100", {"answer_type": "relaxed"}),
]  # fmt: skip


class NoWorkers:
    """In place of the workers: what is left to them costs the caller nothing here."""

    def run(self, _built: object, groups: Sequence[Sequence[Claim]], _mode: str) -> list[list[Verdict]]:
        return [[Verdict.skipped("left to a worker") for _ in group] for group in groups]

    def close(self) -> None:
        """Nothing is open."""


def patterns() -> list[str]:
    """Every regular expression that is written in the extraction and in the plugins' verifiers."""
    plugins = Path(next(iter(openvlt_plugins.__path__)))
    files = [
        *Path(openvlt.extraction.__file__).parent.glob("*.py"),
        *(file for name in MODULES for file in (plugins / name).rglob("*.py")),
    ]
    found = {value.pattern for file in files for value in _compiled(file)}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if getattr(node.func.value, "id", "") == "re" and isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return sorted(found)


def _compiled(file: Path) -> Iterator[re.Pattern[str]]:
    """The patterns among the values of a module."""
    parts = file.with_suffix("").parts
    roots = [index for index, part in enumerate(parts) if part in {"openvlt_plugins", "openvlt"}]
    name = ".".join(parts[roots[-1] :]).removesuffix(".__init__")
    __import__(name)
    left = [value for key, value in vars(sys.modules[name]).items() if not key.startswith("__")]
    while left:
        value = left.pop()
        if isinstance(value, re.Pattern):
            yield value
        elif isinstance(value, tuple | list):
            left.extend(value)


class Pump:
    """Writes strings that a pattern matches, or nearly: one of its repeats goes on for long.

    Args:
        rng: chooses.
        long: times the chosen repeat is written.
    """

    def __init__(self, rng: random.Random, long: int) -> None:
        self._rng = rng
        self._long = long
        self._groups: dict[int, str] = {}

    def text(self, tree: Any) -> str:
        return "".join(self._item(op, argument) for op, argument in tree)

    def _item(self, op: Any, argument: Any) -> str:
        rng = self._rng
        if op in {codes.LITERAL, codes.NOT_LITERAL}:
            return chr(argument) if op is codes.LITERAL else rng.choice("a1 ")
        if op is codes.ANY:
            return rng.choice("a1 (")
        if op is codes.IN:
            return self._in(argument)
        if op is codes.BRANCH:
            return self.text(rng.choice(argument[1]))
        if op is codes.SUBPATTERN:
            self._groups[argument[0]] = found = self.text(argument[3])
            return found
        if op is codes.GROUPREF:
            return self._groups.get(argument, "1")
        if op in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}:
            low, high, body = argument
            times = self._long if high > 20 and rng.random() < 0.7 else min(int(high), int(low) + rng.randrange(3))
            one = self.text(body)
            return one * min(times, max(1, LONGEST // (len(one) + 1)))
        return ""

    def _in(self, options: Any) -> str:
        op, argument = self._rng.choice(options)
        if op is codes.LITERAL:
            return chr(argument)
        if op is codes.RANGE:
            return chr(self._rng.randint(*argument))
        return {codes.CATEGORY_DIGIT: "7", codes.CATEGORY_SPACE: " ", codes.CATEGORY_WORD: "w"}.get(argument, "a")


@lru_cache(maxsize=1)
def _trees() -> list[Any]:
    return [_parser.parse(pattern) for pattern in patterns()]


def nested(rng: random.Random, size: int) -> str:
    """One production, or several in turn, nested to some depth or width."""
    forms = rng.sample(NESTS, rng.choice([1, 1, 2, 3, 5]))
    text = rng.choice(CORES)
    depth = rng.choice([3, 8, 19, 25, 38, 39, 41, 80, 400, 4_000])
    for level in range(depth):
        grown = forms[level % len(forms)].replace("@", text, 1).replace("@", "1")
        if len(grown) > size:
            break
        text = grown
    if rng.random() < 0.3:
        text = rng.choice([", ", " ", "+", "*", " and ", "\n", "&", ";"]).join([text] * max(1, size // (len(text) + 2)))
    return text[:size]


def pumped(rng: random.Random, size: int) -> str:
    """A string for one of the regular expressions, repeated or with an end that does not match."""
    once = Pump(rng, rng.choice([3, 60, size])).text(rng.choice(_trees()))
    ends = rng.choice(["", "!", "\n", "}", "a", "\x00", " \\end", "0"])
    text = once * rng.choice([1, 1, 2, max(1, size // (len(once) + 1))]) + ends
    return (rng.choice(["", "", "x", "(", "The answer is "]) + text)[:size]


def repeated(rng: random.Random, size: int) -> str:
    """A few pieces over and over."""
    unit = "".join(rng.choice(PIECES) for _ in range(rng.choice([1, 1, 2, 3, 6])))
    return unit * max(1, size // len(unit)) + rng.choice(["", "1", ")", "}", "!", "</answer>"])


def listed(rng: random.Random, size: int) -> str:
    """Many terms in a set, a list, a sum or a product."""
    count = rng.choice([5, 20, 40, 63, 64, 65, 200])
    form = rng.choice(TERMS)
    terms = [
        form.format(n=rng.randint(1, 400), k=rng.randint(2, 16), big=rng.randint(10**280, 10**290))
        for _ in range(count)
    ]
    opening, between, closing = rng.choice(
        [("\\{", ", ", "\\}"), ("", ", ", ""), ("(", ",", ")"), ("", "+", ""), ("", "*", ""), ("[", ";", "]"), ("", " or ", ""), ("(", ")(", ")")]
    )  # fmt: skip
    return (opening + between.join(terms) + closing)[:size]


MAKERS: tuple[Callable[[random.Random, int], str], ...] = (nested, pumped, pumped, repeated, listed)
WRAPS = ("{}", "{}", "<answer>{}</answer>", "<answer>{}</answer>", "\\boxed{{{}}}", "<think>{}</think><answer>{}</answer>",
         "The answer is {}.", "**Answer:** {}", "{}\n\nAnswer: B", "<think>{}", "<answer>{}")  # fmt: skip


def claims(count: int, seed: int) -> Iterator[Claim]:
    """Claims of hostile answers; every tenth has a gold of the same kind."""
    rng = random.Random(seed)
    for index in range(count):
        maker, size = rng.choice(MAKERS), rng.choice(SIZES)
        said = maker(rng, size)
        gold, known = rng.choice(GOLDS)
        if rng.random() < 0.15:
            gold, known = maker(rng, min(size, 1500)), {"answer_type": rng.choice([None, "list", "expression"])}
        yield Claim(
            trace=Trace(think="", answer=said, raw=rng.choice(WRAPS).replace("{}", said)[: LONGEST + 100]),
            example=Example(id=str(index), question="", answer=gold, **known),
            group=str(index),
        )


class Caller:
    """What a trainer or a benchmark does in its own thread: extraction, then every inline verifier."""

    def __init__(self) -> None:
        registry = Registry.discover()
        self._verifiers: dict[str, Built[Verifier]] = {}
        for entry in registry.entries("verifier"):
            try:
                built: Built[Verifier] = registry.build("verifier", entry.name, format=Format())
            except Exception:  # noqa: BLE001 (it has no defaults, or its dependencies are not here)
                continue
            if built.component.inline:
                self._verifiers[entry.name] = built

    @property
    def names(self) -> list[str]:
        return [*self._verifiers]

    def seconds(self, claim: Claim) -> dict[str, float]:
        """CPU seconds of this thread for the extraction and for each verifier: of the answer, and of the response."""
        text, example = claim.response, claim.example
        readings = get_args(Reading)
        found = {
            f"extract {reading}": _timed(lambda: extract(text, Format(), reading=reading, example=example))  # noqa: B023
            for reading in readings
        }
        found["parse"] = _timed(lambda: parse(Completion(text=text), Format()))
        read = extract(text, Format(), reading="anywhere", example=example).answer
        whole = replace(claim, trace=replace(claim.trace, answer=read))
        for name, built in self._verifiers.items():
            runner = VerifierRunner({name: built}, format=Format())  # a new one: it remembers nothing
            runner._isolation = NoWorkers()  # type: ignore[assignment]
            found[name] = max(_timed(lambda: runner.verdicts([each])) for each in (claim, whole))  # noqa: B023
        return found


def _timed(work: Callable[[], object]) -> float:
    gc.disable()  # a collection takes as long as what else there is, not as what is read
    start = time.thread_time()
    work()
    seconds = time.thread_time() - start
    gc.enable()
    return seconds


def main(count: int, seed: int) -> int:
    caller = Caller()
    print(f"{count} responses, {len(_trees())} regular expressions, verifiers: {', '.join(caller.names)}", flush=True)
    slowest: list[tuple[float, str, str, int, str]] = []
    over = 0
    for claim in claims(count, seed):
        for name, seconds in caller.seconds(claim).items():
            over += seconds > LIMIT
            slowest.append((seconds, name, claim.example.answer[:30], len(claim.response), claim.answer[:60]))  # type: ignore[index]
        slowest = sorted(slowest, reverse=True)[:10]
    for seconds, name, gold, length, said in slowest:
        print(f"{seconds:.3f} s  {name:<18} {length:>7} characters  gold {json.dumps(gold)}  {json.dumps(said)}")
    print(f"{over} over {LIMIT} s")
    return int(over > 0)


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    sys.exit(main(*(given + [20_000, 1][len(given) :])))
