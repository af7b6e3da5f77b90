"""A question, its images and its gold answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

AnswerType: TypeAlias = Literal[
    "choice", "integer", "float", "list", "expression", "text", "yes_no", "box", "point", "relaxed", "ocr"
]
PLACEHOLDER = "<image>"
"""Marks the place of an image in a question or a choice."""
MOST_DECIMALS = 300
"""Decimals that the verifiers compute with."""


@dataclass(frozen=True, slots=True)
class Image:
    """A reference to an image of the store.

    Attributes:
        sha256: hex digest of the encoded bytes.
        width: pixels, before any resizing.
        height: pixels, before any resizing.
    """

    sha256: str
    width: int
    height: int

    @staticmethod
    def file(path: str | Path) -> NewImage:
        """An image of a source, as a file; read, checked and stored when the source is loaded.

        A path that a row of somebody's data names is to be checked first, which `openvlt.tables.images_of` does.
        """
        return NewImage("", 0, 0, Path(path))

    @staticmethod
    def data(content: bytes) -> NewImage:
        """An image of a source, as encoded bytes (PNG, JPEG, ...); checked and stored when the source is loaded."""
        return NewImage("", 0, 0, content)


@dataclass(frozen=True, slots=True)
class NewImage(Image):
    """An image that is not in the store yet; only sources create them."""

    origin: Path | bytes = b""


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier turn of the conversation that a question belongs to."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One question with its images and its gold answer.

    Attributes:
        id: unique within its source.
        question: the text, without choices or instructions how to answer. If history, question and choices have
            `PLACEHOLDER` as often as there are images, it marks their places, in order; else the images come first.
        answer: the gold answer; for a choice, its letter or its content; for boxes, points and several golds, JSON.
        images: in the order the question refers to them.
        choices: the contents of the options, A first; empty for an open question.
        answer_type: type of the gold answer; None lets the verifier infer it.
        precision: decimals a numeric answer is rounded to.
        unit: unit of the answer, if the question fixes one.
        source: name of the example's source; the core fills it in.
        history: the turns before the question, oldest first.
        metadata: anything else worth keeping, such as the question's category, for filters and breakdowns.
    """

    id: str
    question: str
    answer: str
    images: tuple[Image, ...] = ()
    choices: tuple[str, ...] = ()
    answer_type: AnswerType | None = None
    precision: int | None = None
    unit: str | None = None
    source: str = ""
    history: tuple[Turn, ...] = field(default=(), metadata={"added": True})
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def image_files(self) -> list[Path]:
        """The files of the images that a source names as files and that are not stored yet."""
        origins = (image.origin for image in self.images if isinstance(image, NewImage))
        return [origin for origin in origins if isinstance(origin, Path)]

    @property
    def full_question(self) -> str:
        """The question after the turns before it, as one text; two examples with the same one ask the same."""
        return "\n".join([*(f"{turn.role}: {turn.text}" for turn in self.history), self.question])

    def in_words(self) -> Example:
        """The example for a reader of text: ``[image]`` is in the places of the images."""
        texts = (self.question, *self.choices, *(turn.text for turn in self.history))
        if not self.images or not any(PLACEHOLDER in text for text in texts):
            return self

        def worded(text: str) -> str:
            return text.replace(PLACEHOLDER, "[image]")

        history = tuple(replace(turn, text=worded(turn.text)) for turn in self.history)
        choices = tuple(map(worded, self.choices))
        return replace(self, question=worded(self.question), choices=choices, history=history)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A rejected row.

    Attributes:
        id: the row's id, or its position in its file if it has none.
        reason: a short phrase, the same for the same cause, so that it can be counted.
        transient: True if the row may succeed on the next run.
        where: of a row of a source, its number there from 1, and the files of its images.
        fault: True if a component failed on it, and did not reject it on purpose.
    """

    id: str
    reason: str
    transient: bool = False
    where: str = field(default="", compare=False)
    fault: bool = field(default=False, compare=False, metadata={"added": True})
