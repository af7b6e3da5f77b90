"""A one-file plugin that distills without a model: numbered sums, an engine that answers at once, an exact check.

What the engine says depends on the request's key and the sample alone, so any two runs agree to the byte.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, ClassVar

from openvlt import (
    Backend,
    Claim,
    Completion,
    Engine,
    Example,
    Image,
    ImageReader,
    Message,
    Model,
    Option,
    Request,
    Sampling,
    Source,
    Teacher,
    Trace,
    Verdict,
    Verifier,
    hookimpl,
)


@dataclass(frozen=True)
class Sums(Source):
    """Asks for the sum of two numbers; the answer is in the question, for the engine to find."""

    licence: ClassVar[str] = "CC0-1.0"

    count: Annotated[int, Option("examples")] = 1000
    pictures: Annotated[int, Option("distinct images, one an example; 0 for none")] = 0
    named: Annotated[bool, Option("each example names an image of its own, which nobody may decode")] = False

    def examples(self, split: str) -> Iterator[Example]:
        images = [Image.data(_png(index)) for index in range(self.pictures)]
        for index in range(self.count):
            left, right = index % 97, index // 97
            image = (images[index % self.pictures],) if images else ()
            if self.named:
                image = (Image(sha256(str(index).encode()).hexdigest(), 8, 8),)
            yield Example(
                id=str(index), question=f"What is {left} + {right}?", answer=str(left + right),
                images=image, metadata={"left": left},
            )  # fmt: skip

    def size(self, split: str) -> int:
        return self.count


def _png(index: int) -> bytes:
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (index % 256, index // 256, 0)).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True)
class Instant(Backend):
    """Answers sums: three of four right, one in sixteen cut by the token limit."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"images", "samples", "seeds"})
    deterministic: ClassVar[bool] = True

    chunk: Annotated[int, Option("requests handed over at once", affects_output=False)] = 256
    delay: Annotated[float, Option("time a chunk takes", unit="seconds", affects_output=False)] = 0.0

    @contextmanager
    def open(self, model: Model, read: ImageReader) -> Iterator[Engine]:
        yield _Engine(self.delay)


@dataclass(frozen=True)
class _Engine:
    delay: float

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        time.sleep(self.delay)
        return [[_reply(request, sample) for sample in request.samples] for request in requests]


def _reply(request: Request, sample: int) -> Completion:
    chance = sha256(f"{request.key}/{sample}".encode()).digest()
    text = " ".join(part for part in request.messages[-1].content if isinstance(part, str))
    numbers = [int(word.strip("?")) for word in text.split() if word.strip("?").isdigit()]
    total = sum(numbers) + (chance[0] < 64)
    think = " ".join(["adding the numbers"] * (1 + chance[1] % 40))
    return Completion(
        text=f"<think>{think}</think>\n<answer>{total}</answer>",
        finish_reason="length" if chance[2] < 16 and numbers else "stop",
        prompt_tokens=len(text) // 4,
        completion_tokens=len(think) // 4,
    )


@dataclass(frozen=True)
class Exact(Verifier):
    """Compares answer and gold as text."""

    inline: ClassVar[bool] = True

    def verify(self, claim: Claim) -> Verdict:
        return Verdict.correct() if claim.answer == claim.example.answer else Verdict.incorrect("another text")


@dataclass(frozen=True)
class Scribe(Teacher):
    """Takes down whatever its model says, and calls it 1."""

    model: Model

    @property
    def sampling(self) -> Sampling:
        return Sampling(n=2, temperature=0.8, max_tokens=24)

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        return [Message.user(example.question)]

    def parse(self, completion: Completion) -> Trace:
        return Trace(think=completion.text, answer="1", raw=completion.text)

    uses_caption: ClassVar[bool] = False


@hookimpl
def register_teachers(register):
    register("scribe", Scribe, summary="takes down what a model says")


@hookimpl
def register_sources(register):
    register("sums", Sums, summary="numbered sums")


@hookimpl
def register_backends(register):
    register("instant", Instant, summary="answers at once")


@hookimpl
def register_verifiers(register):
    register("exact", Exact, summary="the same text")
