"""Pieces of text as lines and columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

SEPARATOR = " | "
Span: TypeAlias = tuple[float, float]
"""Left and right, in pixels."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text and its box: pixels from the upper left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def span(self) -> Span:
        """Where it is from left to right, without the margin of a box, with which tight columns overlap."""
        margin = min(self.bottom - self.top, self.right - self.left) / 4
        return self.left + margin, self.right - margin

    @classmethod
    def of(cls, text: str, corners: Sequence[Sequence[float]]) -> Piece:
        """A piece with the box around its corners, each (x, y); line breaks in the text become spaces."""
        across, down = zip(*corners, strict=True)
        return cls(" ".join(text.split()), min(across), min(down), max(across), max(down))


def as_table(pieces: Iterable[Piece]) -> str:
    """The text in reading order: a line for what is side by side, its cells separated by ``|``.

    Where several pieces of a line are each in a column of its own, the columns before and between them are empty cells.
    In any other line, such as a title, pieces closer to each other than half their height are one cell.
    """
    lines = _lines(pieces)
    columns = _columns([line for line in lines if len(line) > 1])
    return "\n".join(SEPARATOR.join(_cells(line, columns)) for line in lines)


def _lines(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Pieces by line, from left to right: each joins the line of the piece above it if half of one is beside it."""
    lines: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda each: (each.top + each.bottom, each.left)):
        if lines and _beside(lines[-1][-1], piece):
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [sorted(line, key=lambda each: each.left) for line in lines]


def _beside(one: Piece, other: Piece) -> bool:
    common = min(one.bottom, other.bottom) - max(one.top, other.top)
    return 2 * common > min(one.bottom - one.top, other.bottom - other.top)


def _columns(lines: Sequence[Sequence[Piece]]) -> list[Span]:
    """The left and right of each column: what overlaps from left to right is one, but for what spans several."""
    columns: list[Span] = []
    spans = (piece.span for line in lines for piece in line)
    for left, right in sorted(span for span in spans if not _is_wide(span, lines)):
        if columns and left < columns[-1][1]:
            columns[-1] = columns[-1][0], max(columns[-1][1], right)
        else:
            columns.append((left, right))
    return columns


def _is_wide(span: Span, lines: Sequence[Sequence[Piece]]) -> bool:
    """True if several pieces of most lines are above or below it, as of a title."""
    return 2 * sum(sum(map(_above(span), line)) > 1 for line in lines) > len(lines)


def _above(span: Span) -> Callable[[Piece], bool]:
    return lambda piece: piece.span[0] < span[1] and piece.span[1] > span[0]


def _cells(line: Sequence[Piece], columns: Sequence[Span]) -> list[str]:
    inside = [[at for at, column in enumerate(columns) if _above(column)(piece)] for piece in line]
    places = [places[0] for places in inside if len(places) == 1]
    if len(line) == 1 or len(set(places)) < len(line):
        return _close_together(line)
    cells = [""] * (max(places) + 1)
    for place, piece in zip(places, line, strict=True):
        cells[place] = piece.text
    return cells


def _close_together(line: Sequence[Piece]) -> list[str]:
    cells = [line[0].text]
    for before, piece in pairwise(line):
        if 2 * (piece.left - before.right) < piece.bottom - piece.top:
            cells[-1] += f" {piece.text}"
        else:
            cells.append(piece.text)
    return cells
