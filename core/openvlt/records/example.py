"""A question, its images and its gold answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

AnswerType: TypeAlias = Literal["choice", "integer", "float", "list", "expression", "text", "yes_no"]


@dataclass(frozen=True, slots=True)
class Image:
    """A reference to an image whose bytes lie once in the store.

    Attributes:
        sha256: hex digest of the file's bytes.
        width: pixels, before any resizing.
        height: pixels, before any resizing.
    """

    sha256: str
    width: int
    height: int

    @staticmethod
    def file(path: str | Path) -> NewImage:
        """An image a source found on disk; it is read, checked and stored when the source is loaded."""
        return NewImage("", 0, 0, Path(path))

    @staticmethod
    def data(content: bytes) -> NewImage:
        """An image a source holds as encoded bytes (PNG, JPEG, ...); checked and stored when the source is loaded."""
        return NewImage("", 0, 0, content)


@dataclass(frozen=True, slots=True)
class NewImage(Image):
    """An image that is not in the store yet; only sources make them."""

    origin: Path | bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One question with its images and its gold answer.

    Attributes:
        id: unique within its source.
        question: the text, without choices and without any instruction how to answer.
        answer: the gold answer; for a choice, its letter or its content.
        images: in the order the question speaks of them.
        choices: the contents of the options, A first; empty if the question is open.
        answer_type: what the gold answer is; None lets the verifier tell from the gold.
        precision: decimals a numeric answer is rounded to.
        unit: unit of the answer, where the question fixes one.
        source: name of the source the example came from; the core fills it in.
        metadata: anything else worth keeping, such as the question's kind, for filters and breakdowns.
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
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A row that was left out, and why.

    Attributes:
        id: the row's id, or its place in its file when it has none.
        reason: a short phrase that can be counted.
        transient: True if the row may succeed on the next run.
    """

    id: str
    reason: str
    transient: bool = False
