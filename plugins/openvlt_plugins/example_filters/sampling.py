"""Filters that use only the examples themselves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, ClassVar

from annotated_types import Ge

from openvlt import Drop, Example, ExampleFilter, Keep, Option, Seed, allocate


@dataclass(frozen=True)
class Dedup(ExampleFilter):
    """Keeps the first of the examples with the same question, choices and images, ignoring spacing and case."""

    row_by_row: ClassVar[bool] = True

    def decide(
        self, examples: Iterable[Example], facts: Mapping[str, Mapping[str, float]]
    ) -> Iterator[Keep | tuple[Example, Drop]]:
        seen: set[bytes] = set()
        for example in examples:
            parts = [example.full_question, *example.choices, *(image.sha256 for image in example.images)]
            key = sha256("\0".join(" ".join(part.casefold().split()) for part in parts).encode()).digest()
            yield (example, Drop("duplicate")) if key in seen else Keep(example)
            seen.add(key)


@dataclass(frozen=True)
class Sample(ExampleFilter):
    """Keeps `count` examples, drawn by the seed and the examples' ids, in their order.

    A larger count includes the examples of a smaller one, so results for those are reused.
    """

    count: Annotated[int, Ge(1), Option("most examples")]
    seed: Seed = 0

    def decide(
        self, examples: Iterable[Example], facts: Mapping[str, Mapping[str, float]]
    ) -> Iterator[Keep | tuple[Example, Drop]]:
        rows = list(examples)
        drawn = sorted(range(len(rows)), key=lambda row: _order(rows[row], self.seed))[: self.count]
        return _decided(rows, set(drawn), "not drawn")

    def keeps_at_most(self, values: Callable[[str], Collection[str] | None]) -> int:
        return self.count


@dataclass(frozen=True)
class SourceQuota(ExampleFilter):
    """Draws `count` examples of each source; OpenVLThinker v1.2 draws 500 (arXiv 2503.17352 v3, section 5)."""

    count: Annotated[int, Ge(0), Option("most examples of each source")] = 500
    quotas: Annotated[Mapping[str, Annotated[int, Ge(0)]], Option("other counts, by source; 0 for none")] = field(
        default_factory=dict
    )
    by: Annotated[str, Option("`source`, or the metadata key that names the source")] = "source"
    seed: Seed = 0

    def decide(
        self, examples: Iterable[Example], facts: Mapping[str, Mapping[str, float]]
    ) -> Iterator[Keep | tuple[Example, Drop]]:
        rows = list(examples)
        taken: Counter[str] = Counter()
        drawn: set[int] = set()
        for row in sorted(range(len(rows)), key=lambda row: _order(rows[row], self.seed)):
            source = _value(rows[row], self.by)
            if taken[source] < self.quotas.get(source, self.count):
                taken[source] += 1
                drawn.add(row)
        return _decided(rows, drawn, "beyond the quota of its source")

    def keeps_at_most(self, values: Callable[[str], Collection[str] | None]) -> int | None:
        sources = values(self.by)
        return None if sources is None else sum(self.quotas.get(source, self.count) for source in {*sources})


@dataclass(frozen=True)
class BalanceExamples(ExampleFilter):
    """Keeps equally many examples for each value of the first key, and within it for each value of the next."""

    by: Annotated[tuple[str, ...], Option("keys: `answer`, `source`, `answer_type` or keys of the metadata")] = (
        "category",
        "answer",
    )
    ratio: Annotated[
        float | None, Ge(1), Option("largest cell, as a multiple of its smallest sibling; null for no cap")
    ] = 1.0
    total: Annotated[int | None, Ge(1), Option("most examples in total; null for no limit")] = None
    seed: Seed = 0

    def decide(
        self, examples: Iterable[Example], facts: Mapping[str, Mapping[str, float]]
    ) -> Iterator[Keep | tuple[Example, Drop]]:
        rows = list(examples)
        cells: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for row in sorted(range(len(rows)), key=lambda row: _order(rows[row], self.seed)):
            cells[tuple(_value(rows[row], key) for key in self.by)].append(row)
        wanted = allocate({cell: len(members) for cell, members in cells.items()}, total=self.total, ratio=self.ratio)
        drawn = {row for cell, members in cells.items() for row in members[: wanted[cell]]}
        return _decided(rows, drawn, f"enough of its {' and '.join(self.by)}")

    def keeps_at_most(self, values: Callable[[str], Collection[str] | None]) -> int | None:
        return self.total


def _value(example: Example, key: str) -> str:
    if key == "answer":
        return example.answer.strip().casefold()
    return str(getattr(example, key) if key in ("source", "answer_type") else example.metadata.get(key, ""))


def _order(example: Example, seed: int) -> str:
    return sha256(f"{seed}/{example.source}/{example.id}".encode()).hexdigest()


def _decided(rows: Sequence[Example], drawn: Collection[int], reason: str) -> Iterator[Keep | tuple[Example, Drop]]:
    for row, example in enumerate(rows):
        yield Keep(example) if row in drawn else (example, Drop(reason))
