"""Stages that score a model on a benchmark: its questions, the answers, their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from openvlt.bench.asking import ask, guess
from openvlt.bench.definition import Definition
from openvlt.bench.questions import Questions, Responses, questions
from openvlt.bench.score import score
from openvlt.pipeline.model_checks import check_model, describe_model
from openvlt.pipeline.stage import Context, Description, Made, Scored, Stage
from openvlt.records import Example, Model, Sampling
from openvlt.stages.load import check_rows
from openvlt.stages.near_duplicates import in_training_data
from openvlt.stages.workspace import Workspace


@dataclass(frozen=True, eq=False, kw_only=True)
class LoadQuestions(Stage[Questions]):
    """Loads the questions of a benchmark."""

    benchmark: Definition

    stage_kind: ClassVar[str] = "load"

    @property
    def most(self) -> int | None:
        return self.benchmark.size

    def describe(self, workspace: Workspace) -> Description:
        return Description(self.benchmark.name, self.most)

    def check(self, workspace: Workspace) -> None:
        built, benchmark = self.benchmark.benchmark, self.benchmark.benchmark.component
        with self.benchmark.reading_data():
            check_rows(workspace, built, benchmark.source, f"benchmark {self.benchmark.name}", benchmark.split)

    def run(self, context: Context) -> Made[Questions]:
        found = questions(context.workspace, self.benchmark)
        return Made(found.output.record, found)


@dataclass(frozen=True, eq=False, kw_only=True)
class Guess(Stage[Responses]):
    """Lets a guesser without a model answer."""

    questions: LoadQuestions
    baseline: str
    guesser: Callable[[Example], str]

    stage_kind: ClassVar[str] = "bench"

    def describe(self, workspace: Workspace) -> Description:
        return Description(self.baseline, self.most)

    def run(self, context: Context) -> Made[Responses]:
        asked, benchmark = context.value(self.questions), self.questions.benchmark
        answered = guess(context.workspace, self.name, asked, benchmark, self.baseline, self.guesser)
        return Made(answered.output.record, answered)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ask(Stage[Responses]):
    """Asks a model all questions: the base in the benchmark's own words, a trained one in the recipe's format."""

    questions: LoadQuestions
    trained: Stage[Model] | None
    sampling: Sampling

    stage_kind: ClassVar[str] = "bench"

    @property
    def _model(self) -> Model:
        return Model(id="policy" if self.trained else "base")

    def describe(self, workspace: Workspace) -> Description:
        return describe_model(
            self.questions.benchmark.name, self.most, self._model, workspace, self.sampling.max_tokens, self.sampling.n
        )

    def check(self, workspace: Workspace) -> None:
        check_model(workspace, self._model, "base", "", self.sampling.max_tokens)

    def run(self, context: Context) -> Made[Responses]:
        context.resolve(self.name, self._model, self.trained)
        answered = ask(
            context.workspace, self.name, self.iteration, context.value(self.questions), self.questions.benchmark,
            context.policy(self.trained), self.sampling, trained=self.trained is not None,
        )  # fmt: skip
        return Made(answered.output.record, answered)


@dataclass(frozen=True, eq=False, kw_only=True)
class Score(Stage[Scored]):
    """Scores answers, and compares them with those of the stages in `others`."""

    answers: Guess | Ask
    model_name: str
    others: tuple[Score, ...]

    stage_kind: ClassVar[str] = "score"

    def describe(self, workspace: Workspace) -> Description:
        verifiers = self.answers.questions.benchmark.verifiers.values()
        return Description(", ".join(dict.fromkeys(built.entry.name for built in verifiers)), self.most)

    def run(self, context: Context) -> Made[Scored]:
        answered, benchmark = context.value(self.answers), self.answers.questions.benchmark
        others = {other.model_name: context.value(other).output for other in self.others}
        output, result = score(
            context.workspace, self.name, self.iteration, self.model_name, benchmark, answered, others
        )
        loaded = {name: made.record for name, made in context.made.items()}
        if found := in_training_data(benchmark.name, loaded):
            result = replace(result, about={**result.about, "near-duplicates": found})
        return Made(output.record, Scored(output, result))
