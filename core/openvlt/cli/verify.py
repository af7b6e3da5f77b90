"""``openvlt verify``: verify a response against a gold answer and explain, or verify a file of them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from openvlt.cli import registry
from openvlt.errors import DataError, UsageError
from openvlt.terminal import raw

if TYPE_CHECKING:
    from openvlt.extraction import Reading
    from openvlt.records import AnswerType, Claim, Verdict
    from openvlt.verification import VerifierRunner

TYPES = ("choice", "integer", "float", "list", "expression", "text", "yes_no", "box", "point", "relaxed", "ocr")
READINGS = ("tag", "phrase", "anywhere", "whole")
_CHUNK = 256
_MOST_DECIMALS = 300


def _no_option(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A text, which may begin with a minus; what begins with two is an option that does not exist."""
    if value is not None and value.startswith("--"):
        name, known = value.partition("=")[0], [option for each in ctx.command.params for option in each.opts]
        raise click.NoSuchOption(name, possibilities=get_close_matches(name, known), ctx=ctx)
    return value


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("gold", required=False, callback=_no_option)
@click.argument("response", required=False, callback=_no_option)
@click.option("--choices", multiple=True, metavar="TEXT", help="The choices, A first; repeatable, or one JSON list.")
@click.option("--type", "answer_type", type=click.Choice(TYPES), help="Answer type; by default inferred from GOLD.")
@click.option("--precision", type=click.IntRange(0, _MOST_DECIMALS), help="Decimals a numeric answer is rounded to.")
@click.option("--unit", help="Unit of the answer.")
@click.option("--verifier", default="answer", show_default=True, metavar="NAME", help="The verifier.")
@click.option("--bare", is_flag=True, help="Take the whole response as the answer, tags and all.")
@click.option(
    "--reading",
    type=click.Choice(READINGS),
    default="tag",
    show_default=True,
    help="Where the answer may be if there is neither tag nor box.",
)
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path),
    help="JSON Lines with gold and response, and optionally id, choices, answer_type, precision, unit.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one for each CPU]")
def verify(
    gold: str | None,
    response: str | None,
    choices: tuple[str, ...],
    answer_type: str | None,
    precision: int | None,
    unit: str | None,
    verifier: str,
    bare: bool,
    reading: Reading,
    file: Path | None,
    workers: int | None,
) -> None:
    """Verify RESPONSE against GOLD: verdict, extracted answer, deciding tier, and reason.

    The answer is extracted from the last <answer> tag, else from the last \\boxed{}. A response with neither is
    unparsed, unless --reading allows more: an answer stated in a phrase, the last one anywhere in prose, or the whole.
    """
    from openvlt.interfaces import AnswerVerifier, Verifier
    from openvlt.records import Format
    from openvlt.verification import VerifierRunner

    built = {"verdict": registry().build(Verifier, verifier, where="--verifier")}
    if not isinstance(built["verdict"].component, AnswerVerifier):
        # other verifiers may depend on the verdict of the answer
        built = {"answer": registry().build(Verifier, "answer"), **built}
    with VerifierRunner(built, format=Format(), workers=workers) as runner:
        if file is not None:
            if gold is not None:
                raise UsageError("--file and GOLD RESPONSE are both given.", "Give one of them.")
            if choices or answer_type or precision is not None or unit:
                raise UsageError(
                    "--choices, --type, --precision and --unit have no effect with --file.",
                    "Write choices, answer_type, precision and unit into its lines.",
                )
            _many(runner, file, None if bare else reading, threads=workers or 4)
        elif gold is None or response is None:
            raise UsageError("GOLD and RESPONSE are not both given.", "Give both, or --file FILE.jsonl.")
        else:
            row = {"gold": gold, "response": response, "choices": _split(choices), "answer_type": answer_type}
            _one(runner, _claim({**row, "precision": precision, "unit": unit}, None if bare else reading))


def _split(choices: tuple[str, ...]) -> list[str]:
    if len(choices) == 1 and choices[0].lstrip().startswith("["):
        try:
            found = json.loads(choices[0])
        except (ValueError, RecursionError):
            return list(choices)
        return [str(choice) for choice in found]
    if len(choices) == 1 and "," in choices[0]:
        return [choice.strip() for choice in choices[0].split(",")]
    return list(choices)


def _one(runner: VerifierRunner, claim: Claim) -> None:
    from openvlt.extraction import extract
    from openvlt.records import Format

    verdict = runner.verdicts([claim])[0]["verdict"]
    found = extract(claim.response, Format())
    score = "none" if verdict.score is None else f"{verdict.score:g}"
    lines = {
        "verdict": f"{verdict.status} (score {score})" + (f", caused by the {verdict.cause}" if verdict.cause else ""),
        "extracted": "nothing" if claim.answer is None else claim.answer,
        "tier": verdict.tier or "-",
        "why": verdict.reason or "-",
    }
    for name, text in lines.items():
        click.echo(f"{name:<10} {text}")
    if claim.answer is None and claim.response.strip():
        marked = found.start >= 0
        why = f": {found.reason}, so no reading finds one" if marked else "; --reading says where else it may be"
        click.echo(f"No answer was found{why}, --bare takes the whole.", err=True)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    id: Any
    claim: Claim


def _many(runner: VerifierRunner, file: Path, reading: Reading | None, *, threads: int) -> None:
    from rich.console import Console
    from rich.progress import Progress

    try:
        total = sum(1 for line in file.open("rb") if line.strip())
    except OSError as error:
        raise DataError(f"'{file}' cannot be read: {error.strerror}.", "Name a file of JSON Lines.") from error
    lines = _lines(file, reading)
    with (
        Progress(console=Console(file=raw(sys.stderr)), transient=True, disable=not sys.stderr.isatty()) as progress,
        ThreadPoolExecutor(threads) as pool,
    ):
        bar = progress.add_task("verify", total=total)
        while chunk := list(islice(lines, _CHUNK)):
            for line, (verdict, seconds) in zip(chunk, pool.map(lambda x: _timed(runner, x.claim), chunk), strict=True):
                click.echo(json.dumps(_record(line, verdict, seconds), ensure_ascii=False))
            progress.advance(bar, len(chunk))
    if not runner.tallies["verdict"].claims:
        raise DataError(f"No line of '{file}' can be verified.", "Give each line a gold and a response.")
    for concern in runner.tallies["verdict"].concerns:
        click.echo(f"Warning: {concern}.", err=True)


def _lines(file: Path, reading: Reading | None) -> Iterator[_Line]:
    """Yield the valid lines; report the others on standard error."""
    with file.open("rb") as content:
        for number, text in enumerate(content, start=1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
                if not isinstance(row, dict):
                    raise TypeError("it is not an object")
                yield _Line(number, row.get("id", number), _claim(row, reading))
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
                click.echo(f"{file}:{number}: skipped: {what}", err=True)


def _claim(row: dict[str, Any], reading: Reading | None) -> Claim:
    """The claim of a row; without a reading the whole response is the answer.

    Raises:
        KeyError: a key is missing.
        TypeError, ValueError: a value is invalid.
    """
    from openvlt.bench.score import read
    from openvlt.records import Claim, Example, Format, Trace

    gold, response, answer_type = row["gold"], row["response"], row.get("answer_type")
    if not isinstance(response, str) or not isinstance(gold, str | int | float | list | dict):
        raise TypeError("gold and response must be text")
    if answer_type is not None and answer_type not in TYPES:
        raise ValueError(f"answer_type {answer_type!r} is none of {', '.join(TYPES)}")
    choices = row.get("choices") or []
    if not isinstance(choices, list):
        raise TypeError("choices must be a list")
    precision, unit = row.get("precision"), row.get("unit")
    if precision is not None and precision not in range(_MOST_DECIMALS + 1):
        raise ValueError(f"precision must be a whole number from 0 to {_MOST_DECIMALS}")
    if unit is not None and not isinstance(unit, str):
        raise TypeError("unit must be text")
    example = Example(
        id=str(row.get("id", "")),
        question=str(row.get("question", "")),
        answer=json.dumps(gold, ensure_ascii=False) if isinstance(gold, list | dict) else str(gold),
        choices=tuple(map(str, choices)),
        answer_type=cast("AnswerType | None", answer_type),
        precision=None if precision is None else int(precision),
        unit=unit or None,
    )
    trace = Trace(think="", answer=None if reading else response.strip() or None, raw=response)
    return Claim(trace=read(trace, Format(), reading, example) if reading else trace, example=example)


def _timed(runner: VerifierRunner, claim: Claim) -> tuple[Verdict, float]:
    start = time.perf_counter()
    verdict = runner.verdicts([claim])[0]["verdict"]
    return verdict, time.perf_counter() - start


def _record(line: _Line, verdict: Verdict, seconds: float) -> dict[str, Any]:
    return {
        "id": line.id,
        "status": verdict.status,
        "cause": verdict.cause,
        "score": verdict.score,
        "extracted": line.claim.answer,
        "reason": verdict.reason,
        "tier": verdict.tier,
        "seconds": round(seconds, 6),
    }
