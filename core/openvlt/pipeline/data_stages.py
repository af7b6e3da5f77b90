"""Stages that load examples and choose among them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from openvlt.bench.questions import Questions
from openvlt.errors import located
from openvlt.interfaces import ExampleFilter, Source
from openvlt.pipeline.model_checks import describe_asked
from openvlt.pipeline.needed_facts import BENCHMARK_IMAGES, check_choice, models_of
from openvlt.pipeline.stage import Context, Description, RowStage, Stage
from openvlt.recipe import Data
from openvlt.records import Model
from openvlt.registry import Built
from openvlt.results import check_size, check_values
from openvlt.stages.filter import Choice, Choosing, filter_examples, needs
from openvlt.stages.load import check_rows, check_split, load
from openvlt.stages.workspace import Output, Workspace


@dataclass(frozen=True, eq=False, kw_only=True)
class Load(RowStage):
    """Reads a split of a source; images of the benchmarks are held out.

    Attributes:
        position: that of a key of its data.
        limit: maximum number of rows.
        until: reading ends once these filters have kept enough.
        trained: what a filter asks for, where that is the policy.
        near_duplicates: True to drop rows that repeat a question of a benchmark.
    """

    data: Data
    position: Callable[[str], str]
    source: Built[Source]
    limit: int | None
    questions: tuple[Stage[Questions], ...]
    until: Choice | None = None
    trained: Stage[Model] | None = None
    near_duplicates: bool = False

    stage_kind: ClassVar[str] = "load"

    @property
    def compared_with(self) -> tuple[Stage[Questions], ...]:
        """The benchmarks whose questions its rows may not repeat."""
        return self.questions if self.near_duplicates else ()

    @cached_property
    def most(self) -> int | None:
        with self.source.guarded("size_at_most"):
            known = (self.limit, check_size(self.source.component.size_at_most(self.data.split)))
        return min((count for count in known if count is not None), default=None)

    def values(self, key: str) -> Collection[str] | None:
        """All values of a key that a filter may choose by; None if they are unknown before reading."""
        with self.source.guarded("values"):
            return {self.source.entry.name} if key == "source" else check_values(self.source.component.values(key))

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
        choosing = _choosing(context, self.until, self) if self.until else None
        split, limit = self.data.split, self.limit
        near = context.benchmark_questions(self.compared_with) if self.compared_with else None
        return load(
            context.workspace, self.name, self.iteration, self.source, split, limit, held_out, choosing, questions=near
        )  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Filter(RowStage):
    """Chooses among loaded examples by their content, and by facts that are found when a filter first needs them.

    Attributes:
        position: of the filters in the recipe.
    """

    examples: Load
    choice: Choice
    position: str
    questions: tuple[Stage[Questions], ...]
    trained: Stage[Model] | None

    stage_kind: ClassVar[str] = "filter"

    @property
    def filters(self) -> tuple[Built[ExampleFilter], ...]:
        return self.choice.filters

    @cached_property
    def most(self) -> int | None:
        known = [self.choice.limit, self.examples.most]
        for built in self.filters:
            with built.guarded("keeps_at_most"):
                known.append(check_size(built.component.keeps_at_most(self.examples.values)))
        return min((count for count in known if count is not None), default=None)

    def describe(self, workspace: Workspace) -> Description:
        found = Description(", ".join(built.entry.name for built in self.filters), self.most)
        return describe_asked(found, models_of(self.choice, self.position), workspace)

    def check(self, workspace: Workspace) -> None:
        check_choice(workspace, self.choice, self.position)

    def rows(self, context: Context) -> Output:
        choosing = _choosing(context, self.choice, self)
        rows = context.value(self.examples)
        return filter_examples(context.workspace, self.name, self.iteration, rows, choosing)


def _choosing(context: Context, choice: Choice, stage: Load | Filter) -> Choosing:
    """What applies the filters of a stage."""
    context.workspace.models["policy"] = context.policy(stage.trained)
    given: dict[str, dict[str, float]] = {}
    if any(BENCHMARK_IMAGES in needs(built) for built in choice.filters):
        given[BENCHMARK_IMAGES] = dict.fromkeys(sorted(context.held_out_images(stage.questions)), 1.0)
    return Choosing(context.workspace, choice, given)
