"""Stages that load examples and choose among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from openvlt.bench.questions import Questions
from openvlt.errors import UsageError, closest, located
from openvlt.interfaces import ExampleFilter, Source
from openvlt.pipeline.model_checks import check_asked, describe_asked
from openvlt.pipeline.stage import Context, Description, RowStage, Stage
from openvlt.recipe import Data
from openvlt.records import Model, Row
from openvlt.registry import Built
from openvlt.results import check_size
from openvlt.stages.filter import Facts, filter_examples
from openvlt.stages.load import check_rows, check_split, load
from openvlt.stages.workspace import Output, Workspace

PASS_RATE = "pass_rate"
BENCHMARK_IMAGES = "benchmark_images"


@dataclass(frozen=True, eq=False, kw_only=True)
class Load(RowStage):
    """Reads a split of a source; images of the benchmarks are held out. `position` is that of a key of its data."""

    data: Data
    position: Callable[[str], str]
    source: Built[Source]
    limit: int | None
    questions: tuple[Stage[Questions], ...]

    stage_kind: ClassVar[str] = "load"

    @cached_property
    def most(self) -> int | None:
        with self.source.guarded("size"):
            known = (self.limit, check_size(self.source.component.size(self.data.split)))
        return min((count for count in known if count is not None), default=None)

    def describe(self, workspace: Workspace) -> Description:
        return Description(self.source.entry.name, self.most)

    def check(self, workspace: Workspace) -> None:
        with located(lambda: self.position("split")):
            check_split(self.source, self.data.split)
        reader = self.source.component
        with located(lambda: self.position("source")):
            check_rows(workspace, self.source, reader, f"source {self.source.entry.name}", self.data.split)

    def rows(self, context: Context) -> Output:
        held_out = context.held_out_images(self.questions)
        return load(context.workspace, self.name, self.iteration, self.source, self.data.split, self.limit, held_out)


@dataclass(frozen=True, eq=False, kw_only=True)
class Filter(RowStage):
    """Chooses among loaded examples; `rates` verifies the policy's samples of them, where a filter needs that."""

    examples: RowStage
    filters: tuple[Built[ExampleFilter], ...]
    limit: int | None
    rates: RowStage | None
    questions: tuple[Stage[Questions], ...]
    trained: Stage[Model] | None

    stage_kind: ClassVar[str] = "filter"

    @cached_property
    def most(self) -> int | None:
        known = (self.limit, self.examples.most)
        return min((count for count in known if count is not None), default=None)

    def describe(self, workspace: Workspace) -> Description:
        found = Description(", ".join(built.entry.name for built in self.filters), self.most)
        return describe_asked(found, self.filters, workspace)

    def check(self, workspace: Workspace) -> None:
        for index, built in enumerate(self.filters):
            check_asked(workspace, built, f"data.filters.{index}.model")
            for fact in built.component.needs:
                if fact not in (PASS_RATE, BENCHMARK_IMAGES):
                    raise UsageError(
                        f"Stage {self.name}: the filter {built.entry.name} needs '{fact}', which is no known fact.",
                        closest(fact, [PASS_RATE, BENCHMARK_IMAGES]),
                    )

    def rows(self, context: Context) -> Output:
        context.workspace.models["policy"] = context.policy(self.trained)
        rows, facts = context.value(self.examples), self._facts(context)
        made = filter_examples(context.workspace, self.name, self.iteration, rows, self.filters, self.limit, facts)
        return made

    def _facts(self, context: Context) -> Facts:
        facts: dict[str, dict[str, float]] = {}
        if self.rates is not None:
            facts[PASS_RATE] = pass_rates(context.value(self.rates).rows())
        if any(BENCHMARK_IMAGES in built.component.needs for built in self.filters):
            facts[BENCHMARK_IMAGES] = dict.fromkeys(sorted(context.held_out_images(self.questions)), 1.0)
        return facts


def pass_rates(rows: Iterable[Row]) -> dict[str, float]:
    """The share of correct samples by example id, among those decided; no entry for an example without any."""
    rates: dict[str, float] = {}
    for row in rows:
        correct = sum(each.is_correct for each in row.judged)
        if decided := correct + sum(each.is_incorrect for each in row.judged):
            rates[row.example.id] = correct / decided
    return rates
