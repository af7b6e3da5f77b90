"""Components of which each method returns or raises what a test says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from odd import SAID

import openvlt
from openvlt import hookimpl


def said(method: str, otherwise: Any) -> Any:
    """What a method is to return, or raises it."""
    found = SAID.get(method, otherwise)
    if isinstance(found, BaseException):
        raise found
    return found


@hookimpl
def register_captioners(register: Any) -> None:
    register("odd", Captioner, summary="as told")
    register("odd-program", Program, summary="as told")


@hookimpl
def register_teachers(register: Any) -> None:
    register("odd", Teacher, summary="as told")
    register("odd-chat", ChatTeacher, summary="as told")


@hookimpl
def register_filters(register: Any) -> None:
    register("odd", TraceFilter, summary="as told")
    register("odd-examples", ExampleFilter, summary="as told")


@hookimpl
def register_verifiers(register: Any) -> None:
    register("odd", Verifier, summary="as told")


@hookimpl
def register_backends(register: Any) -> None:
    register("odd", Backend, summary="as told")


@hookimpl
def register_benchmarks(register: Any) -> None:
    register("odd", Benchmark, summary="as told")


@hookimpl
def register_sources(register: Any) -> None:
    register("odd", Source, summary="two questions")


@dataclass(frozen=True)
class Source(openvlt.Source):
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    def examples(self, split: str) -> Iterator[openvlt.Example]:
        for number in ("1", "2"):
            yield openvlt.Example(id=number, question=f"What is {number}?", answer=number)


@dataclass(frozen=True)
class Captioner(openvlt.Captioner):
    model: openvlt.Model
    number: int = 0

    def messages(self, images: Sequence[openvlt.Image]) -> Any:
        return said("captioner.messages", [openvlt.Message.user("Describe.")])

    def parse(self, completion: openvlt.Completion) -> Any:
        return said("captioner.parse", completion.text)


@dataclass(frozen=True)
class Program(openvlt.ProgramCaptioner):
    number: int = 0

    def subject(self, example: openvlt.Example) -> Any:
        return said("program.subject", example.question)

    @contextmanager
    def open(self, read: openvlt.ImageReader) -> Iterator[Any]:
        yield said("program.open", lambda subject: said("program.caption", "a caption"))

    def revision(self) -> Any:
        return said("program.revision", "")


@dataclass(frozen=True)
class Teacher(openvlt.Teacher):
    model: openvlt.Model
    number: int = 0

    def messages(self, example: openvlt.Example, caption: str | None) -> Any:
        return said("teacher.messages", [openvlt.Message.user(example.question)])

    def parse(self, completion: openvlt.Completion) -> Any:
        return said("teacher.parse", openvlt.parse(completion, openvlt.Format()))


@dataclass(frozen=True)
class ChatTeacher(Teacher):
    def run(self, example: openvlt.Example, caption: str | None, chat: openvlt.Chat) -> Any:
        made = self.parse(chat(self.messages(example, caption)))
        return said("teacher.run", made)


@dataclass(frozen=True)
class TraceFilter(openvlt.TraceFilter):
    number: int = 0

    def choose(self, example: openvlt.Example, judged: Sequence[openvlt.Judged]) -> Any:
        return said("filter.choose", judged)

    def choose_all(self, rows: Any) -> Any:
        return said("filter.choose_all", None) or super().choose_all(rows)


@dataclass(frozen=True)
class ExampleFilter(openvlt.ExampleFilter):
    number: int = 0

    def decide(self, examples: Any, facts: Any) -> Any:
        return said("filter.decide", None) or (openvlt.Keep(example) for example in examples)


@dataclass(frozen=True)
class Verifier(openvlt.Verifier):
    number: int = 0
    inline: ClassVar[bool] = True

    def verify(self, claim: openvlt.Claim) -> Any:
        return said("verifier.verify", openvlt.Verdict.correct())


@dataclass(frozen=True)
class Backend(openvlt.Backend):
    number: int = 0
    capabilities: ClassVar[frozenset[str]] = frozenset({"images", "samples", "seeds"})
    deterministic: ClassVar[bool] = True

    @contextmanager
    def open(self, model: openvlt.Model, read: openvlt.ImageReader) -> Iterator[Any]:
        said("backend.open", None)
        yield Engine()


class Engine:
    def generate(self, requests: Sequence[openvlt.Request], sampling: openvlt.Sampling) -> Any:
        reply = said("engine.completion", openvlt.Completion(text="<think>so</think>\n<answer>1</answer>"))
        return said("engine.generate", [said("engine.reply", [reply] * len(each.samples)) for each in requests])

    def counts(self) -> Any:
        return said("engine.counts", {"asked": 1.0})


@dataclass(frozen=True)
class Benchmark(openvlt.Benchmark):
    number: int = 0
    split: ClassVar[str] = "test"
    scorings: ClassVar[Mapping[str, str]] = {"exact": "text"}
    source: ClassVar[openvlt.Source] = Source()

    def messages(self, example: openvlt.Example, format: openvlt.Format) -> Any:
        return said("benchmark.messages", [openvlt.Message.user(example.question)])

    def base_messages(self, example: openvlt.Example, format: openvlt.Format) -> Any:
        return self.messages(example, format)

    def baselines(self) -> Any:
        return said("benchmark.baselines", {"one": lambda example: said("benchmark.baseline", "1")})

    def choose(self, examples: Any) -> Any:
        return said("benchmark.choose", None) or iter(examples)

    def aggregate(self, rows: Any) -> Any:
        return said("benchmark.aggregate", {})
