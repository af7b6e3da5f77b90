"""Example filters with a limit: no more rows are read, asked about or measured than it takes to keep enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from openvlt import Drop, Example, ExampleFilter, Keep, Source
from openvlt.registry import Built, Entry, Registry
from openvlt.stages.filter import Choice, Choosing, filter_examples
from openvlt.stages.load import load
from openvlt.stages.workspace import Output, Workspace
from openvlt.store import Home


@dataclass(frozen=True)
class Counted(Source):
    """Counts the rows that are read."""

    n: int = 100_000
    read: ClassVar[list[int]] = []

    def examples(self, split: str) -> Iterator[Example]:
        for number in range(self.n):
            self.read.append(number)
            yield Example(id=str(number), question=f"What is {number}?", answer=str(number))


@dataclass(frozen=True)
class Thirds(ExampleFilter):
    """Keeps every third example."""

    row_by_row: ClassVar[bool] = True

    def decide(self, examples: Iterable[Example], facts: Mapping[str, Any]) -> Iterator[Keep | tuple[Example, Drop]]:
        for example in examples:
            yield Keep(example) if int(example.id) % 3 == 0 else (example, Drop("no multiple of three"))


@dataclass(frozen=True)
class LastThirds(Thirds):
    """Decides only once it has seen all."""

    row_by_row: ClassVar[bool] = False

    def decide(self, examples: Iterable[Example], facts: Mapping[str, Any]) -> Iterator[Keep | tuple[Example, Drop]]:
        yield from super().decide(list(examples), facts)


def made(component: Any, kind: Any) -> Built[Any]:
    name = type(component).__name__
    return Built(component, Entry(kind=kind, name=name, id=f"test/{name}", summary="", target=""), {}, f"{component}")


def chosen(workspace: Workspace, limit: int | None, *filters: ExampleFilter, n: int = 100_000) -> tuple[Output, Output]:
    """The rows loaded and those chosen, as the two stages of a recipe carry them out."""
    Counted.read.clear()
    choice = Choice(tuple(made(each, "filter") for each in filters), limit)
    until = Choosing(workspace, choice, {}) if choice.is_row_by_row else None
    loaded = load(workspace, "load-1", 1, made(Counted(n), "source"), "train", None, frozenset(), until)
    return loaded, filter_examples(workspace, "filter-1", 1, loaded, Choosing(workspace, choice, {}))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(Home(tmp_path / "home"), Registry.discover())


@pytest.mark.parametrize("limit", [1, 8, 32])
def test_reading_ends_with_the_row_that_makes_enough(workspace: Workspace, limit: int) -> None:
    loaded, kept = chosen(workspace, limit, Thirds(), Thirds())
    assert [row.example.id for row in kept.rows()] == [str(3 * n) for n in range(limit)]
    assert len(Counted.read) == loaded.record.out == 3 * limit - 2
    assert kept.record.rejected == ({"Thirds: no multiple of three": 2 * (limit - 1)} if limit > 1 else {})
    again, _ = chosen(workspace, limit, Thirds(), Thirds())
    assert again.record.cached and not Counted.read
    larger, _ = chosen(workspace, limit + 1, Thirds(), Thirds())
    assert not larger.record.cached and larger.record.out == 3 * limit + 1


@pytest.mark.parametrize("filters", [(LastThirds(),), (Thirds(), LastThirds()), (LastThirds(), Thirds())])
def test_where_a_filter_sees_the_whole_set_all_is_read_once(
    workspace: Workspace, filters: tuple[ExampleFilter, ...]
) -> None:
    loaded, kept = chosen(workspace, 4, *filters, n=60)
    assert len(Counted.read) == loaded.record.out == 60 and kept.record.out == 4
    again, _ = chosen(workspace, 5, *filters, n=60)
    assert again.record.cached, "what is loaded does not depend on the filters"


def test_too_few_are_as_many_as_there_are(workspace: Workspace) -> None:
    loaded, kept = chosen(workspace, 50, Thirds(), n=60)
    assert (loaded.record.out, kept.record.out) == (60, 20)


def test_built_in_filters_that_decide_row_by_row_say_so(workspace: Workspace) -> None:
    filters = {entry.name for entry in workspace.registry.entries("filter")}
    early = {"pass-rate", "contamination", "dedup"}
    for name in early:
        assert workspace.registry.build("filter", name).component.row_by_row
    for spec in ({"use": "sample", "count": 3}, "source-quota", "balance-examples"):
        assert not workspace.registry.build(ExampleFilter, spec).component.row_by_row
    assert early < filters
