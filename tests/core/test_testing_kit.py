"""The kit says in an author's words what is wrong with a component, and nothing of one that is right."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest

from openvlt import (
    AnswerVerifier,
    AskingFact,
    Backend,
    Benchmark,
    Captioner,
    Checkpoint,
    Claim,
    Completion,
    Drop,
    Example,
    ExampleFilter,
    Format,
    Keep,
    LookingExampleFilter,
    LookingTraceFilter,
    LookingVerifier,
    Message,
    Model,
    Option,
    ProgramCaptioner,
    ProgramFact,
    ProgramTeacher,
    Reject,
    Rejected,
    SampledFact,
    Sampling,
    Source,
    Teacher,
    Trace,
    TraceFilter,
    Trainer,
    Verdict,
    Verifier,
    parse,
)
from openvlt.testing import (
    SCRIPTED,
    Failed,
    Material,
    Scripted,
    check_backend,
    check_source,
    check_trainer,
    check_verifier,
    examine,
    request,
)

ONE = Example(id="1", question="What?", answer="7")
CALLS = iter(range(10**9))


def frozen(base: type, **attributes: Any) -> Any:
    """A component of a class of its own."""
    return dataclass(frozen=True)(type(base.__name__, (base,), {"__doc__": "Made.", **attributes}))()


@dataclass(frozen=True)
class Rows(Source):
    """Yields what a function makes."""

    rows: Annotated[str, Option("which rows")] = ""
    made: ClassVar[Any] = None
    sized: ClassVar[Any] = None

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        yield from type(self).made()

    def size(self, split: str) -> int | None:
        return type(self).sized


def rows(made: Callable[[], Any], sized: Any = None, **claims: Any) -> Source:
    return frozen(Rows, made=staticmethod(made), sized=sized, **claims)


@dataclass(frozen=True)
class Scores(Verifier):
    """Scores by a function."""

    option: Annotated[int, Option("nothing")] = 0
    seen: Annotated[list[str], Option("nothing")] = field(default_factory=list)
    scored: ClassVar[Any] = None

    def verify(self, claim: Claim) -> Verdict:
        return type(self).scored(self, claim)


def scores(scored: Callable[[Any, Claim], Any], **claims: Any) -> Verifier:
    return frozen(Scores, scored=staticmethod(scored), **claims)


def remembers(self: Any, claim: Claim) -> Verdict:
    self.seen.append(claim.response)
    return Verdict.scored(0.5)


def order(self: Any, claim: Claim) -> Verdict:
    previous, Scores.last = getattr(Scores, "last", ""), claim.response  # type: ignore[attr-defined]
    return Verdict.scored(float(previous > claim.response))


def threaded(self: Any, claim: Claim) -> Verdict:
    Scores.shared = claim.response  # type: ignore[attr-defined]
    time.sleep(0.001)
    return Verdict.scored(0.5, Scores.shared)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class SlowQuick(AnswerVerifier):
    """Runs inline, but takes time by the length of the answer."""

    inline: ClassVar[bool] = True

    def quick(self, answer: str, claim: Claim) -> Verdict | None:
        if len(answer) > 50_000:
            end = time.thread_time() + 1.2
            while time.thread_time() < end:
                pass
        return Verdict.correct()

    def check(self, answer: str, claim: Claim) -> Verdict:
        return Verdict.correct()


@dataclass(frozen=True)
class Contextual(AnswerVerifier):
    """Looks at the question, against its word."""

    context_free: ClassVar[bool] = True

    def check(self, answer: str, claim: Claim) -> Verdict:
        return Verdict.correct(claim.example.question)


@dataclass(frozen=True)
class Draws(ProgramCaptioner):
    """Draws on the shared picture."""

    @contextmanager
    def open(self, read: Any) -> Iterator[Any]:
        def caption(images: Any) -> str:
            for image in images:
                read(image).putpixel((0, 0), (1, 2, 3))
            return "drawn"

        yield caption


@dataclass(frozen=True)
class Blind(Captioner):
    """Forgets the images."""

    model: Annotated[Model, Option("model")] = Model(id="x")

    def messages(self, images: Any) -> list[Message]:
        return [Message.user("What is shown?")]


@dataclass(frozen=True)
class Odd(Teacher):
    """Returns what a function makes of a reply."""

    model: Annotated[Model, Option("model")] = Model(id="x")
    parsed: ClassVar[Any] = staticmethod(lambda completion: None)

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        return [Message.user(example.question)]

    def parse(self, completion: Completion) -> Trace:
        return type(self).parsed(completion)


@dataclass(frozen=True)
class Looks(Odd):
    """Looks at the image, and at the number of its sample."""

    def run(self, example: Example, caption: str | None, chat: Any) -> Trace:
        reply = chat([Message.user(example.question, str([chat.read(image).size for image in example.images]))])
        return Trace(think=f"{chat.sample}", answer="7", raw=reply.text)


@dataclass(frozen=True)
class Solves(ProgramTeacher):
    """Writes what a function makes of an example."""

    samples: Annotated[int, Option("chains")] = 2
    written: ClassVar[Any] = None

    @contextmanager
    def open(self, read: Any) -> Iterator[Any]:
        yield type(self).written


@dataclass(frozen=True)
class Value(ProgramFact):
    """What a function makes of an example."""

    made: ClassVar[Any] = None

    def value(self, example: Example, read: Any) -> float | None:
        return type(self).made(example, read)


def valued(made: Callable[[Example, Any], Any]) -> ProgramFact:
    return frozen(Value, made=staticmethod(made))


@dataclass(frozen=True)
class Guesses(AskingFact):
    """Reads what a function makes of a reply."""

    model: Annotated[Model, Option("model")] = Model(id="x")
    read: ClassVar[Any] = None

    def messages(self, subject: Example) -> Any:
        return "known" if subject.id == "sum" else [Message.user(subject.question)]

    def parse(self, completion: Completion, subject: Example) -> str | None:
        return type(self).read(completion.text)


@dataclass(frozen=True)
class Rates(SampledFact):
    """Rates by a function."""

    teacher: Annotated[Teacher, Option("writes")] = "policy"  # type: ignore[assignment]
    rated: ClassVar[Any] = None

    def rate(self, example: Example, judged: Any) -> float | None:
        return type(self).rated(judged)


def paint(read: Any, example: Example) -> None:
    for image in example.images:
        read(image).putpixel((1, 1), (9, 9, 9))


@dataclass(frozen=True)
class Paints(LookingVerifier):
    """Draws on the shared picture."""

    def look(self, claim: Claim, read: Any) -> Verdict:
        paint(read, claim.example)
        return Verdict.correct()


@dataclass(frozen=True)
class Sees(LookingVerifier):
    """Scores by a pixel."""

    most: Annotated[float, Option("score of white")] = 1.0

    def look(self, claim: Claim, read: Any) -> Verdict:
        reds = [read(image).getpixel((0, 0))[0] for image in claim.example.images]
        return Verdict.scored(max(reds, default=0) / 255 * self.most)


@dataclass(frozen=True)
class PicksBySight(LookingTraceFilter):
    """Returns what a function makes of the traces."""

    picked: ClassVar[Any] = staticmethod(lambda judged: judged[:1])

    def look(self, example: Example, judged: Any, read: Any) -> Any:
        return type(self).picked(judged) if all(read(image) for image in example.images) else Drop("blank")


@dataclass(frozen=True)
class DropsBySight(LookingExampleFilter):
    """Returns what a function makes of an example."""

    needs: ClassVar[tuple[str, ...]] = ("darkness",)
    decided: ClassVar[Any] = staticmethod(lambda example: None if example.images else Drop("blank"))

    def look(self, example: Example, facts: Any, read: Any) -> Any:
        return type(self).decided(example) if facts["darkness"][example.id] < 1 else Drop("dark")


@dataclass(frozen=True)
class ReadsAll(ExampleFilter):
    """Reads every example first, against its word."""

    row_by_row: ClassVar[bool] = True

    def decide(self, examples: Any, facts: Any) -> Iterator[Any]:
        yield from [Keep(example) for example in examples]


@dataclass(frozen=True)
class Rewrites(TraceFilter):
    """Changes answers."""

    def choose(self, example: Example, judged: Any) -> Any:
        return [replace(one, trace=replace(one.trace, answer="999")) for one in judged]


@dataclass(frozen=True)
class Lists(TraceFilter):
    """Sorts the caller's list."""

    def choose(self, example: Example, judged: Any) -> Any:
        judged.clear()
        return Drop("none")


@dataclass(frozen=True)
class Skips(ExampleFilter):
    """Decides on every second example."""

    def decide(self, examples: Any, facts: Any) -> Iterator[Any]:
        yield from [Keep(example) for example in examples][::2]


@dataclass(frozen=True)
class Spells(Source):
    """Gives one text where a collection of texts is asked for."""

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        yield ONE

    def metadata_values(self, key: str) -> str:
        return "letters"


@dataclass(frozen=True)
class Understates(ExampleFilter):
    """Keeps all and says that it keeps one."""

    def decide(self, examples: Any, facts: Any) -> Iterator[Any]:
        yield from map(Keep, examples)

    def keeps_at_most(self, values: Any) -> int:
        return 1


@dataclass(frozen=True)
class UnderstatesTraces(TraceFilter):
    """Keeps all and says that it keeps one of each."""

    def choose(self, example: Example, judged: Any) -> Any:
        return judged

    def keeps_at_most(self, examples: int, traces: int) -> int:
        return examples


@dataclass(frozen=True)
class Leaks(Benchmark):
    """Shows the gold answer."""

    source: Source = field(init=False, default_factory=lambda: rows(lambda: [ONE]))
    split: Annotated[str, Option("split")] = "train"
    scorings: Annotated[dict[str, str], Option("scorings")] = field(default_factory=lambda: {"exact": "answer"})
    breakdown: Annotated[tuple[str, ...], Option("keys")] = ("colour",)

    def messages(self, example: Example, format: Any) -> list[Message]:
        return [Message.user(f"{example.question} It is {example.answer}.")]


class Backwards:
    def generate(self, requests: Sequence[Any], sampling: Any) -> list[Any]:
        texts = [str(one.messages[-1].content[-1]) for one in requests][::-1]
        return [[Completion(text=text[:8]) for _ in one.samples] for one, text in zip(requests, texts, strict=True)]


@dataclass(frozen=True)
class Swaps(Backend):
    """Replies in reverse."""

    @contextmanager
    def open(self, model: Model, read: Any) -> Iterator[Any]:
        yield Backwards()


@dataclass(frozen=True)
class Elsewhere(Trainer):
    """Leaves its model in the folder that it started from."""

    def train(self, job: Any) -> Checkpoint:
        return Checkpoint(Path(job.model.id))


@dataclass(frozen=True)
class Borrows(Elsewhere):
    """Says that it needs less than nothing."""

    def memory(self, shape: Any, work: Any) -> dict[str, float]:
        return {"weights": -1.0}


@dataclass(frozen=True)
class Spoils(Trainer):
    """Writes into the model that it starts from, and asks for rewards."""

    def train(self, job: Any) -> Checkpoint:
        (Path(job.model.id) / "mine").write_text("x")
        job.reward([])
        return Checkpoint(job.folder)


@dataclass
class Thawed(Verifier):
    """Not frozen."""

    def verify(self, claim: Claim) -> Verdict:
        return Verdict.correct()


@dataclass(frozen=True)
class Silent(Verifier):
    limit: int = 3

    def verify(self, claim: Claim) -> Verdict:
        return Verdict.correct()


def starts_a_thread(self: Any, claim: Claim) -> Verdict:
    threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
    return Verdict.scored(0.5)


BROKEN: list[Any] = [
    (rows(lambda: [replace(ONE, id=3)]), "results: examples of the split 'train': it returned an example whose id is int"),
    (rows(lambda: ["text"]), "results: examples of the split 'train': it returned str, not an Example"),
    (rows(lambda: [ONE, ONE]), "ids: The id '1' occurs twice in the split 'train'"),
    (rows(lambda: iter([ONE]), 5), "claims: `size` says 5 in the split 'train', which has 1"),
    (rows(lambda: [ONE], -1), "results: size of 'train': it returned -1"),
    (Spells(), "results: metadata_values: it returned 'letters', neither a collection of texts nor None"),
    (rows(lambda: {}["x"]), "exceptions: examples of the split 'train' raises KeyError: 'x' (test_testing_kit.py:"),
    (rows(lambda: [replace(ONE, id=str(next(CALLS)))]), "determinism: examples of the split 'train' gives another result"),
    (rows(lambda: [replace(ONE, answer=str(random.random()))]), "determinism: "),
    (rows(lambda: [ONE], splits=("train", 3)), "claims: Its splits are ('train', 3)"),
    (rows(lambda: [Rejected(id="1", reason="bad")]), "results: It rejects all rows in the split 'train': bad"),
    (scores(lambda self, claim: None), "results: verify of response 0, to 'colour': it returned NoneType instead of a Verdict"),
    (scores(lambda self, claim: Verdict.scored(float("nan"))), "it returned the score nan, outside its range 0 to 1"),
    (scores(lambda self, claim: Verdict.scored(17.0)), "it returned the score 17, outside its range 0 to 1"),
    (scores(lambda self, claim: Verdict.scored(claim.answer / 2)), "exceptions: verify of response"),
    (scores(lambda self, claim: Verdict.scored(0.5), range=(1.0, 0.0)), "claims: Its range is (1.0, 0.0)"),
    (scores(lambda self, claim: Verdict.scored(random.random())), "purity: It draws from the random numbers of the whole process"),
    (scores(remembers), "purity: Its fields or class attributes change"),
    (scores(order), "purity: verify of response"),
    (scores(threaded), "threads: verify of response"),
    (scores(starts_a_thread), "threads: It leaves"),
    (scores(lambda self, claim: Verdict.scored(1.0), verify_group=lambda self, claims: []), "it returned 0 verdicts for 7 claims"),
    (scores(lambda self, claim: Verdict.scored(1.0), verify_group=lambda self, claims: [Verdict.scored(0.0)] * len(claims)),
     "claims: verify_group and verify disagree, but grouped is False"),
    pytest.param(SlowQuick(), "claims: It takes", marks=pytest.mark.slow),
    (Contextual(), "claims: Its verdict depends on more than the answer"),
    (Draws(), "purity: It changes the pictures it reads"),
    (Blind(), "results: Its prompt for 'colour' lacks images"),
    (Odd(), "it returned NoneType, which is no Trace"),
    (frozen(Odd, parsed=staticmethod(lambda c: Trace(think="", answer=3, raw=""))), "that cannot be stored"),  # type: ignore[arg-type]
    (frozen(Solves, written=staticmethod(lambda example, caption, sample: "7")), "results: chains: it returned str"),
    (Solves(samples=0), "results: samples: it asks for 0 samples"),
    (frozen(Solves, written=None), "results: chains: it yielded NoneType, which cannot be called"),
    (valued(lambda example, read: [1]), "results: values: it returned list, which is neither a number nor a text"),
    (valued(lambda example, read: float("inf")), "results: values: it returned inf, which is no finite number"),
    (valued(lambda example, read: "dark"), "results: values: it returned 'dark', but declares float | None"),
    (valued(lambda example, read: next(CALLS)), "order: Its values depend on those before them"),
    (valued(lambda example, read: paint(read, example)), "purity: It changes the pictures it reads"),
    (frozen(Guesses, read=staticmethod(lambda text: 3)), "it returned 3, but declares str | None"),
    (frozen(Guesses, read=staticmethod(lambda text: {}[text])), "exceptions: parse of reply 0"),
    (frozen(Rates, rated=staticmethod(lambda judged: 1 / len(judged))), "exceptions: rate of 0 chains for 'colour'"),
    (frozen(Rates, rated=staticmethod(lambda judged: judged.clear())), "purity: It changes what it is given"),
    (Paints(), "purity: It changes the pictures it reads"),
    (Sees(most=17.0), "outside its range 0 to 1"),
    (frozen(PicksBySight, picked=staticmethod(lambda judged: None)), "results: look at 6 traces of 'colour'"),
    (frozen(DropsBySight, decided=staticmethod(Keep)), "results: look at 'colour': it returned Keep"),
    (ReadsAll(), "claims: It reads 9 examples before decision 1, but row_by_row is True"),
    (frozen(Sees, code_modules=lambda self: ["not_here"]), "results: code_modules: it returned 'not_here'"),
    (frozen(Sees, range="wide"), "claims: Its class attributes cannot be used: ValueError: too many values"),
    (Rewrites(), "it changed an answer"),
    (Lists(), "purity: It changes what it is given"),
    (Skips(), "results: decide: it yielded"),
    (Understates(), "claims: It keeps 9 examples, and `keeps_at_most` says 1"),
    (UnderstatesTraces(), "keeps more than `keeps_at_most`, 1"),
    (Leaks(), "claims: Its prompt for '1' shows the gold answer"),
    (Leaks(), "claims: No question has the metadata 'colour'"),
    (Swaps(), "order: A request gets another reply among others than alone"),
    (Scripted(faults={".": "short"}), "results: generate: it did not return 1 completions for a request"),
    (Scripted(faults={".": "raises"}), "exceptions: generate raises RuntimeError: the engine fell over (openvlt/testing/scripted.py:"),
    (Scripted(faults={".": "down"}), "results: generate: it rejects a plain request: scripted: down"),
    (Elsewhere(), "results: train: it left its model in"),
    (Borrows(), "results: memory: it returned -1 for 'weights', which is less than nothing"),
    (Thawed(), "options: Thawed is no frozen dataclass"),
    (Silent(), "options: `openvlt describe` says nothing of limit"),
    (Silent(), "options: Silent has no docstring"),
    (object(), "options: object extends no interface"),
]  # fmt: skip


@pytest.mark.parametrize(("component", "said"), BROKEN, ids=lambda value: value[:40] if isinstance(value, str) else "")
def test_each_thing_that_is_wrong_is_said(component: Any, said: str) -> None:
    found = "\n".join(map(str, examine(component)))
    assert said in found


def solved(example: Example, caption: str | None, sample: int) -> Trace | None:
    if example.id == "sum":
        raise Reject("no picture")
    return Trace(think=f"{sample}", answer=example.answer, raw="") if example.images else None


RIGHT = [
    rows(lambda: [ONE, Rejected(id="2", reason="bad")], 1),
    scores(lambda self, claim: Verdict.scored(len(claim.response) % 7 / 7)),
    frozen(Odd, parsed=staticmethod(lambda c: replace(parse(c, Format()), answer="7"))),
    frozen(Looks, parsed=staticmethod(lambda c: replace(parse(c, Format()), answer="7"))),
    frozen(Solves, written=staticmethod(solved)),
    valued(lambda example, read: len(example.images) or None),
    frozen(Guesses, read=staticmethod(lambda text: text[:5])),
    frozen(Rates, rated=staticmethod(len)),
    Sees(),
    PicksBySight(),
    DropsBySight(),
    Scripted(),
    Scripted(replies=("a b c", "d e f"), rules={"red": "sample {sample}"}),
]


@pytest.mark.parametrize("component", RIGHT, ids=lambda each: type(each).__name__)
def test_nothing_is_said_of_one_that_is_right(component: Any) -> None:
    assert examine(component) == []


def test_a_check_fails_with_all_that_is_wrong() -> None:
    with pytest.raises(Failed, match=r"Silent fails 2 checks:\n  - options: .*\n  - options: "):
        check_verifier(Silent())
    with pytest.raises(Failed, match="It is no Source"):
        check_source(Silent())  # type: ignore[arg-type]
    check_backend(Scripted())


def test_a_trainer_that_spoils_its_start_is_told_so(openvlt_policy: Path, tmp_path: Path) -> None:
    start = shutil.copytree(openvlt_policy, tmp_path / "start")
    with pytest.raises(Failed) as failed:
        check_trainer(Spoils(), Material(model=Model(id=str(start))))
    assert {finding.rule for finding in failed.value.findings} == {"purity", "results"}
    assert "it asks for rewards, but `rewarded` is False" in str(failed.value)


def test_the_registry_has_the_scripted_backend_and_no_strangers(openvlt_registry: Any, openvlt_home: Path) -> None:
    registry = openvlt_registry()
    assert registry.plugins[-1].file == SCRIPTED
    assert {plugin.origin for plugin in registry.plugins if plugin.status == "ok"} <= {"builtin", "file"}
    backend = registry.build("backend", {"use": "scripted", "rules": {"sum": "<answer>{sample}</answer>"}}).component
    with backend.open(Model(id="any"), None) as engine:
        ((first, second),) = engine.generate([request("a sum", samples=(0, 3))], Sampling())
    assert (first.text, second.text) == ("<answer>0</answer>", "<answer>3</answer>")


def test_pytest_loads_nothing_heavy() -> None:
    code = "import sys, openvlt.testing.pytest_plugin, openvlt.testing\nprint(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not {"torch", "PIL", "pydantic", "openvlt.interfaces", "openvlt.registry"} & loaded
