"""The rows a trainer reads: traces (those of a teacher, or ready ones), pairs of traces, or prompts."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Generic, TypeVar, overload

from openvlt.extraction import parse
from openvlt.interfaces import Reads
from openvlt.records import Completion, Example, Format, Row, Trace
from openvlt.store import StageFolder

T = TypeVar("T")
Learned = tuple[Example, tuple[Trace, ...]]
KEPT = 256
"""Rows that were read last and are kept in memory."""

RESPONSE = "response"
"""Metadata key of an example's ready response."""


def ready_trace(example: Example, format: Format) -> Trace:
    """The trace that comes with an example: its response, with the gold answer where that gives none, else only that.

    Args:
        example: its response is in the metadata.
        format: of the tags in the response.
    """
    response = example.metadata.get(RESPONSE)
    trace = parse(Completion(text=response if isinstance(response, str) else ""), format)
    return trace if trace.answer is not None else replace(trace, answer=example.answer)


def training_rows(
    rows: Iterable[Row], reads: Reads, ready: Format | None = None
) -> Iterator[tuple[Example, tuple[Trace, ...]]]:
    """Yield what a trainer learns from: examples, each with the traces that belong to it.

    Args:
        rows: of a select stage, or of a load stage for a trainer that reads prompts.
        reads: ``traces`` yields an example once for each of its traces that has an answer; ``pairs`` matches its first
            correct trace with its first incorrect one, the second with the second, and so on, so that each trace is
            used at most once and no question outweighs the others; ``prompts`` yields each example once, without
            traces.
        ready: ``traces`` are those that come with the examples (see `ready_trace`), in this format.
    """
    for row in rows:
        if reads == "prompts":
            yield row.example, ()
        elif reads == "traces" and ready is not None:
            yield row.example, (ready_trace(row.example, ready),)
        elif reads == "traces":
            for judged in row.judged:
                if judged.trace.answer is not None:
                    yield row.example, (judged.trace,)
        else:
            correct = [judged.trace for judged in row.judged if judged.is_correct]
            incorrect = [judged.trace for judged in row.judged if judged.is_incorrect]
            for pair in zip(correct, incorrect, strict=False):
                yield row.example, pair


class RowsOnDisk:
    """What a trainer learns from, read from the file of a stage whenever it is asked for: 16 bytes a row in memory.

    Args:
        folder: of the stage; all of it is read once, and its digest compared.
        reads: see `training_rows`.
        ready: see `training_rows`.
    """

    def __init__(self, folder: StageFolder, reads: Reads, ready: Format | None = None) -> None:
        self._folder, self._reads, self._ready = folder, reads, ready
        self._places, self._numbers = array("Q"), array("Q")  # of the line in the file, in what the line yields
        for place, row in folder.places(Row):
            for number, _ in enumerate(training_rows([row], reads, ready)):
                self._places.append(place)
                self._numbers.append(number)
        self._line = lru_cache(KEPT)(self._read)

    def _read(self, place: int) -> list[Learned]:
        return list(training_rows([self._folder.row_at(place, Row)], self._reads, self._ready))

    def column(self, of: Callable[[Learned], T]) -> Sequence[T]:
        """A part of each row, such as its example."""
        return _Column(self, of)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Learned:
        return self._line(self._places[index])[self._numbers[index]]

    def __iter__(self) -> Iterator[Learned]:
        return training_rows(self._folder.rows(Row), self._reads, self._ready)


@dataclass(frozen=True)
class _Column(Sequence[T], Generic[T]):
    rows: RowsOnDisk
    of: Callable[[Learned], T]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[T]:
        return map(self.of, self.rows)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return self.of(self.rows[index])
