"""A set of traces in which no answer and no category of question prevails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from annotated_types import Ge

from openvlt import Drop, Example, Judged, Option, Seed, TraceFilter, allocate


@dataclass(frozen=True)
class Balance(TraceFilter):
    """Keeps equally many traces for each value of the first key, and within it for each value of the next.

    From a cell with too many it keeps the first trace of every example before the second of any, in an order that
    depends only on the seed and the examples' ids.
    """

    by: Annotated[tuple[str, ...], Option("keys: `answer` (the gold answer) or keys of the metadata")] = (
        "category",
        "answer",
    )
    ratio: Annotated[
        float | None, Ge(1), Option("largest cell, as a multiple of its smallest sibling; null for no cap")
    ] = 1.0
    total: Annotated[int | None, Ge(1), Option("most traces in total; null for no limit")] = None
    seed: Seed = 0

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        """A single example is always balanced."""
        return judged

    def choose_all(
        self, rows: Iterable[tuple[Example, Sequence[Judged]]]
    ) -> Iterator[tuple[Example, Sequence[Judged] | Drop]]:
        listed = list(rows)
        # A trace is (its index in the example, the order of the example, the row): sorting a cell puts all first traces
        # before all second ones.
        cells: defaultdict[tuple[str, ...], list[tuple[int, str, int]]] = defaultdict(list)
        for row, (example, judged) in enumerate(listed):
            cells[self._cell(example)].extend((index, self._order(example), row) for index in range(len(judged)))
        wanted = allocate({cell: len(traces) for cell, traces in cells.items()}, total=self.total, ratio=self.ratio)
        kept = {(row, index) for cell, traces in cells.items() for index, _, row in sorted(traces)[: wanted[cell]]}
        for row, (example, judged) in enumerate(listed):
            chosen = [one for index, one in enumerate(judged) if (row, index) in kept]
            yield example, chosen or Drop(f"enough of its {' and '.join(self.by)}")

    def keeps_at_most(self, examples: int, traces: int) -> int | None:
        return self.total

    def _cell(self, example: Example) -> tuple[str, ...]:
        return tuple(
            example.answer.strip().casefold() if key == "answer" else str(example.metadata.get(key, ""))
            for key in self.by
        )

    def _order(self, example: Example) -> str:
        return sha256(f"{self.seed}/{example.source}/{example.id}".encode()).hexdigest()
