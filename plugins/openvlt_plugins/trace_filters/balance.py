"""A set of traces in which no answer and no kind of question prevails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from openvlt import Drop, Example, Judged, Option, TraceFilter, allocate


@dataclass(frozen=True)
class Balance(TraceFilter):
    """Takes equally many traces of each value of the first key, and within it of each value of the next.

    Of a cell that is too full it takes the first trace of every example before the second of any, in an order that
    only the seed and the examples' ids decide.
    """

    by: Annotated[tuple[str, ...], Option("keys: `answer` (the gold answer) or keys of the metadata")] = (
        "category",
        "answer",
    )
    ratio: Annotated[float | None, Option("most a cell may hold, times its smallest sibling; null for no cap")] = 1.0
    total: Annotated[int | None, Option("traces in all at most; null for as many as there are")] = None
    seed: Annotated[int, Option("of the order within a cell")] = 0

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        """One example alone is always in balance."""
        return judged

    def choose_all(
        self, rows: Iterable[tuple[Example, Sequence[Judged]]]
    ) -> Iterator[tuple[Example, Sequence[Judged] | Drop]]:
        kept_rows = list(rows)
        cells: defaultdict[tuple[str, ...], list[tuple[int, str, int]]] = defaultdict(list)
        for row, (example, judged) in enumerate(kept_rows):
            cells[self._cell(example)].extend((place, self._order(example), row) for place in range(len(judged)))
        wanted = allocate({cell: len(places) for cell, places in cells.items()}, total=self.total, ratio=self.ratio)
        taken = {(row, place) for cell, places in cells.items() for place, _, row in sorted(places)[: wanted[cell]]}
        for row, (example, judged) in enumerate(kept_rows):
            chosen = [one for place, one in enumerate(judged) if (row, place) in taken]
            yield example, chosen or Drop(f"enough of its {' and '.join(self.by)}")

    def _cell(self, example: Example) -> tuple[str, ...]:
        return tuple(
            example.answer.strip().casefold() if key == "answer" else str(example.metadata.get(key, ""))
            for key in self.by
        )

    def _order(self, example: Example) -> str:
        return sha256(f"{self.seed}/{example.source}/{example.id}".encode()).hexdigest()
