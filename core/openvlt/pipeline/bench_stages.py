"""Stages that score a model on a benchmark: its questions, the answers, their scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from openvlt.bench.measure import Measured, measure, versus
from openvlt.interfaces import Benchmark, Verifier
from openvlt.pipeline.model_checks import check_model, describe_model
from openvlt.pipeline.stage import Context, Description, Made, Stage
from openvlt.records import Example, Model, Sampling
from openvlt.registry import Built
from openvlt.stages.answer import answer, guess, questions
from openvlt.stages.verify import verify
from openvlt.stages.workspace import Output, Workspace


@dataclass(frozen=True, eq=False, kw_only=True)
class Questions(Stage):
    """Loads the questions of a benchmark."""

    benchmark: Built[Benchmark]

    stage_kind: ClassVar[str] = "load"

    @cached_property
    def most(self) -> int | None:
        component = self.benchmark.component
        return component.source.size(component.split)

    def describe(self, workspace: Workspace) -> Description:
        return Description(self.benchmark.entry.name, self.most)

    def run(self, context: Context) -> Made:
        return Made(questions(context.workspace, self.benchmark))


@dataclass(frozen=True, eq=False, kw_only=True)
class Guess(Stage):
    """Lets a guesser without a model answer."""

    questions: Questions
    baseline: str
    guesser: Callable[[Example], str]

    stage_kind: ClassVar[str] = "bench"

    @cached_property
    def most(self) -> int | None:
        return self.questions.most

    def describe(self, workspace: Workspace) -> Description:
        return Description(self.baseline, self.most)

    def run(self, context: Context) -> Made:
        asked = context.output(self.questions)
        benchmark = self.questions.benchmark
        return Made(guess(context.workspace, self.name, asked, benchmark, self.baseline, self.guesser))


@dataclass(frozen=True, eq=False, kw_only=True)
class Ask(Stage):
    """Asks a model all questions: the base in the benchmark's own words, a trained one in the recipe's format."""

    questions: Questions
    model: Model
    trained: Stage | None
    sampling: Sampling

    stage_kind: ClassVar[str] = "bench"

    @cached_property
    def most(self) -> int | None:
        return self.questions.most

    def describe(self, workspace: Workspace) -> Description:
        return describe_model(self.questions.benchmark.entry.name, self.most, self.model, workspace)

    def check(self, workspace: Workspace) -> None:
        check_model(workspace, self.model, "base", "base")

    def run(self, context: Context) -> Made:
        model = context.resolve(self.name, self.model, self.trained)
        asked, benchmark = context.output(self.questions), self.questions.benchmark
        return Made(
            answer(
                context.workspace, self.name, self.iteration, asked, benchmark, model, self.sampling,
                base=self.trained is None,
            )
        )  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Score(Stage):
    """Scores answers, and compares them with those of the stages in `others`."""

    answers: Guess | Ask
    scorings: Mapping[str, Built[Verifier]]
    model_name: str
    others: tuple[Score, ...]

    stage_kind: ClassVar[str] = "score"

    @cached_property
    def most(self) -> int | None:
        return self.answers.most

    def describe(self, workspace: Workspace) -> Description:
        return Description(", ".join(built.entry.name for built in self.scorings.values()), self.most)

    def run(self, context: Context) -> Made:
        answers = context.output(self.answers)
        judged = verify(context.workspace, self.name, self.iteration, answers, self.scorings)
        found = self._measured(context, judged)
        others = {other.model_name: other._measured(context, context.output(other)) for other in self.others}
        return Made(judged, result=versus(found, others).score)

    def _measured(self, context: Context, judged: Output) -> Measured:
        benchmark = self.answers.questions.benchmark
        seconds = float(context.output(self.answers).record.counts.get("seconds", 0))
        kind = next(iter(benchmark.component.breakdown), "")
        headline = next(iter(benchmark.component.scorings))
        return measure(judged.rows(), self.model_name, benchmark.entry.name, headline, kind, seconds)
