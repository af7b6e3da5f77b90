"""Components of which one method misbehaves on one row: ``at`` names the method, ``does`` what it does there."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import openvlt
from openvlt import Example, Format, Image, Judged, Keep, Message, Model, Reject, Trace, Verdict, hookimpl

BAD = "7"
"""The id of the row on which they misbehave; the question of each row is its id."""


@hookimpl
def register_sources(register: Any) -> None:
    register("broken", Source, summary="misbehaves")
    register("broken-generator", Generated, summary="misbehaves, and ends")
    register("broken-unsized", Unsized, summary="misbehaves, and nobody knows its size")


@hookimpl
def register_captioners(register: Any) -> None:
    register("broken", Captioner, summary="misbehaves")
    register("broken-program", Program, summary="misbehaves")


@hookimpl
def register_teachers(register: Any) -> None:
    register("broken", Teacher, summary="misbehaves")
    register("broken-chat", ChatTeacher, summary="misbehaves")


@hookimpl
def register_filters(register: Any) -> None:
    register("broken", TraceFilter, summary="misbehaves")
    register("broken-stream", Streaming, summary="misbehaves")
    register("broken-whole", Whole, summary="misbehaves")
    register("broken-examples", ExampleFilter, summary="misbehaves")
    register("broken-asking", AskingFilter, summary="misbehaves")


@hookimpl
def register_verifiers(register: Any) -> None:
    register("broken", Verifier, summary="misbehaves")
    register("broken-worker", InWorker, summary="misbehaves in a worker")
    register("broken-answer", AnswerVerifier, summary="misbehaves")
    register("broken-group", Grouped, summary="misbehaves")
    register("broken-asking", AskingVerifier, summary="misbehaves")


@hookimpl
def register_benchmarks(register: Any) -> None:
    register("broken", Benchmark, summary="misbehaves")


@hookimpl
def register_backends(register: Any) -> None:
    register("broken", Backend, summary="misbehaves")


@hookimpl
def register_trainers(register: Any) -> None:
    register("broken", Trainer, summary="misbehaves")


RETURNS: dict[str, Any] = {
    "None": None,
    "number": 7,
    "text": "text",
    "object": object(),
    "surrogate": Trace(think="\ud800", answer="1", raw=""),
    "no message": ["Describe."],
    "new image": [Message.user(Image.data(b"png"))],
    "nan": Verdict.scored(math.nan),
    "17": Verdict.scored(17.0),
    "status": Verdict(status="right", score=1.0),  # type: ignore[arg-type]
    "detail": Verdict.scored(1.0, detail={"a": object()}),
}


class Mute(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise KeyError("str")


@dataclass(frozen=True)
class _Broken:
    at: str = ""
    does: str = "key"

    def says(self, method: str, text: str, otherwise: Any) -> Any:
        """What a method returns for a row with this text, or raises."""
        if method != self.at or BAD not in text.split():
            return otherwise
        if self.does == "key":
            raise KeyError("parse")
        if self.does == "exit":
            raise SystemExit(3)
        if self.does == "cancel":
            raise asyncio.CancelledError
        if self.does == "mute":
            raise Mute
        if self.does == "memory":
            raise MemoryError
        if self.does == "reject badly":
            raise Reject(Mute())  # type: ignore[arg-type]
        if self.does == "reject":
            raise Reject("too dark")
        if self.does == "package":
            import no_such_package  # type: ignore[import-not-found] # noqa: F401
        return RETURNS[self.does]


def example(number: int) -> Example:
    import io

    import PIL.Image

    file = io.BytesIO()
    PIL.Image.new("RGB", (9 if str(number) == BAD else 8, 8), (number, 0, 0)).save(file, "png")
    return Example(id=str(number), question=f"row {number} ?", answer="1", images=(Image.data(file.getvalue()),))


@dataclass(frozen=True)
class Source(_Broken, openvlt.Source):
    """An iterator that goes on after an exception."""

    rows: int = 20

    def examples(self, split: str) -> Any:
        return map(self._row, range(self.rows))

    def _row(self, number: int) -> Any:
        changes: dict[str, dict[str, Any]] = {
            "id": {"id": 7}, "question": {"question": None}, "images": {"images": ("a.png",)},
            "type": {"answer_type": "number"}, "metadata": {"metadata": [1]},
        }  # fmt: skip
        if str(number) == BAD and self.does in changes:
            return replace(example(number), **changes[self.does])
        return self.says("examples", str(number), example(number))

    def size(self, split: str) -> int | None:
        return self.says("size", BAD, self.rows)

    def revision(self) -> str:
        return self.says("revision", BAD, "1")


@dataclass(frozen=True)
class Generated(Source):
    def examples(self, split: str) -> Any:
        yield from super().examples(split)


@dataclass(frozen=True)
class Unsized(Generated):
    def size(self, split: str) -> int | None:
        return None


@dataclass(frozen=True)
class _Asks(_Broken):
    model: Model = Model(id="base")


@dataclass(frozen=True)
class Captioner(_Asks, openvlt.Captioner):
    """The picture of row 7 is wider than the others."""

    def messages(self, images: Sequence[Image]) -> Any:
        text = f"picture {BAD if images[0].width == 9 else 1} ?"
        return self.says("messages", text, [Message.user(*images, text)])

    def parse(self, completion: Any) -> Any:
        return self.says("parse", completion.text, completion.text)


@dataclass(frozen=True)
class Program(_Broken, openvlt.ProgramCaptioner):
    def subject(self, example: Example) -> Any:
        return self.says("subject", example.question, example.question)

    @contextmanager
    def open(self, read: Any) -> Iterator[Any]:
        yield self.says("opening", BAD, lambda subject: self.says("open", subject, subject))
        self.says("close", BAD, None)

    def revision(self) -> Any:
        return self.says("revision", BAD, "")


@dataclass(frozen=True)
class Teacher(_Asks, openvlt.Teacher):
    uses_caption = False

    @property
    def sampling(self) -> Any:
        return self.says("sampling", BAD, openvlt.Sampling(n=1))

    def messages(self, example: Example, caption: str | None) -> Any:
        return self.says("messages", example.question, [Message.user(example.question)])

    def parse(self, completion: Any) -> Any:
        trace = Trace(think="so", answer="1", raw=completion.text)
        return self.says("parse", completion.text, trace)


@dataclass(frozen=True)
class ChatTeacher(Teacher):
    def run(self, example: Example, caption: str | None, chat: Any) -> Any:
        asked = self.says("chat", example.question, self.messages(example, caption))
        return self.says("run", example.question, self.parse(chat(asked)))


@dataclass(frozen=True)
class TraceFilter(_Broken, openvlt.TraceFilter):
    def choose(self, example: Example, judged: Sequence[Judged]) -> Any:
        if self.does == "forge" and example.id == BAD:
            return [replace(one, trace=replace(one.trace, answer="999")) for one in judged]
        return self.says("choose", example.question, judged)


@dataclass(frozen=True)
class Streaming(TraceFilter):
    """Decides row by row, in a generator of its own."""

    def choose_all(self, rows: Any) -> Any:
        for example, judged in rows:
            if self.does != "forget":
                yield example, self.says("choose_all", example.question, judged)
            elif example.id != BAD:
                yield example, judged


@dataclass(frozen=True)
class Whole(TraceFilter):
    """Takes all rows first."""

    def choose_all(self, rows: Any) -> Any:
        for example, judged in list(rows):
            yield example, self.says("choose_all", example.question, judged)


@dataclass(frozen=True)
class ExampleFilter(_Broken, openvlt.ExampleFilter):
    def decide(self, examples: Any, facts: Any) -> Any:
        for example in examples:
            if self.does == "id" and example.id == BAD:
                yield Keep(replace(example, id=7))
            else:
                yield self.says("decide", example.question, Keep(example))


@dataclass(frozen=True)
class AskingFilter(_Asks, openvlt.AskingExampleFilter):
    def messages(self, subject: Example) -> Any:
        return self.says("messages", subject.question, [Message.user(subject.question)])

    def parse(self, completion: Any, subject: Example) -> Any:
        return self.says("parse", subject.question, None)


@dataclass(frozen=True)
class Verifier(_Broken, openvlt.Verifier):
    inline: ClassVar[bool] = True

    def verify(self, claim: Any) -> Any:
        return self.says("verify", claim.example.question, Verdict.correct())


@dataclass(frozen=True)
class InWorker(Verifier):
    inline: ClassVar[bool] = False


@dataclass(frozen=True)
class Grouped(Verifier):
    grouped: ClassVar[bool] = True

    def verify_group(self, claims: Sequence[Any]) -> Any:
        found = [Verdict.correct()] * len(claims)
        return found[1:] if claims[0].example.id == BAD and self.does == "short" else self.says(
            "verify_group", claims[0].example.question, found
        )  # fmt: skip


@dataclass(frozen=True)
class AnswerVerifier(_Broken, openvlt.AnswerVerifier):
    inline: ClassVar[bool] = True

    def quick(self, answer: str, claim: Any) -> Any:
        return self.says("quick", claim.example.question, Verdict.correct())

    def check(self, answer: str, claim: Any) -> Any:
        return Verdict.correct()


@dataclass(frozen=True)
class AskingVerifier(_Asks, openvlt.AskingVerifier):
    def messages(self, subject: Any) -> Any:
        return self.says("messages", subject.example.question, [Message.user(subject.example.question)])

    def parse(self, completion: Any, subject: Any) -> Any:
        return self.says("parse", subject.example.question, Verdict.correct())


@dataclass(frozen=True)
class Backend(_Broken, openvlt.Backend):
    """Repeats the last text of a prompt."""

    deterministic: ClassVar[bool] = True
    chunk: ClassVar[int] = 8

    @contextmanager
    def open(self, model: Model, read: Any) -> Iterator[Any]:
        self.says("open", BAD, None)
        yield Engine(self)
        self.says("close", BAD, None)


@dataclass
class Engine:
    backend: Backend

    def generate(self, requests: Sequence[Any], sampling: Any) -> Any:
        replies = [self._reply(request) for request in requests]
        return replies[1:] if self.backend.does == "short" and len(replies) < 8 else replies

    def _reply(self, request: Any) -> Any:
        text = str(request.messages[-1].content[-1])
        reply = [openvlt.Completion(text=text) for _ in request.samples]
        return self.backend.says("generate", text, reply)

    def counts(self) -> Any:
        return self.backend.says("counts", BAD, {"asked": 1.0})


@dataclass(frozen=True)
class Benchmark(_Broken, openvlt.Benchmark):
    split: ClassVar[str] = "train"
    scorings: ClassVar[Mapping[str, str]] = {"exact": "text"}
    source: ClassVar[openvlt.Source] = Source()

    def messages(self, example: Example, format: Format) -> Any:
        return self.says("messages", example.question, [Message.user(example.question)])

    def baselines(self) -> Any:
        return self.says("baselines", BAD, {"one": lambda example: self.says("guess", example.question, "1")})

    def choose(self, examples: Any) -> Any:
        for example in examples:
            yield self.says("choose", example.question, example)

    def aggregate(self, rows: Any) -> Any:
        return self.says("aggregate", BAD, {})


@dataclass(frozen=True)
class Trainer(_Broken, openvlt.Trainer):
    reads: ClassVar[Any] = "prompts"
    rewarded: ClassVar[bool] = True

    def batch_rows(self) -> int:
        return self.says("batch_rows", BAD, 1)

    def train(self, job: Any) -> Any:
        claims = [
            openvlt.Claim(trace=Trace(think="", answer="1", raw="1"), example=each)
            for each in job.examples()
            if self.at != "reward" or each.id == BAD
        ]
        job.reward(claims)
        model = job.folder / "model"
        model.mkdir(exist_ok=True)
        (model / "config.json").write_text("{}")
        return self.says("train", BAD, openvlt.Checkpoint(Path(model)))
