"""From a recipe to the one list of its stages; whatever cannot be carried out is an error here, before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from openvlt.bench.definition import define
from openvlt.engines.backend_choice import keep_for_endpoints
from openvlt.errors import UsageError
from openvlt.interfaces import (
    Captioner,
    ExampleFilter,
    Kind,
    Source,
    Teacher,
    TraceFilter,
    Trainer,
    Verifier,
)
from openvlt.pipeline.bench_stages import Ask, Guess, LoadQuestions, Score
from openvlt.pipeline.data_stages import PASS_RATE, Filter, Load
from openvlt.pipeline.stage import RowStage, Stage
from openvlt.pipeline.trace_stages import Caption, Distill, Select, Verify
from openvlt.pipeline.train_stage import Train
from openvlt.recipe import TRACES, Data, Phase, Recipe, Traces
from openvlt.records import Model, Sampling
from openvlt.registry import Built, Registry
from openvlt.registry.filters import F, as_filter
from openvlt.stages.train import Rewards

S = TypeVar("S", bound=Stage[Any])

POLICY_TEACHER = "policy"
"""The teacher whose samples tell how often the policy is right, for filters that need its pass rate."""


def compile_recipe(
    recipe: Recipe, registry: Registry, urls: Mapping[str, Sequence[str]] | None = None
) -> tuple[Stage[Any], ...]:
    """Build all components of a recipe and list its stages in the order they are carried out.

    Args:
        recipe: names the components.
        registry: knows them.
        urls: ``captioner`` and ``teacher`` to endpoints that serve the models of the first traces.

    Raises:
        PluginError, UsageError: a name or an option is wrong, or a phase cannot run; the message says where.
    """
    return _Compiler(recipe, registry, dict(urls or {})).compiled()


@dataclass
class _Compiler:
    """Walks a recipe once.

    Attributes:
        stages: those compiled so far.
        trained: the last training among them, whose model is the policy.
        questions: of each benchmark, by which images are held out.
        scores: of each benchmark, by the model that was scored.
    """

    recipe: Recipe
    registry: Registry
    urls: dict[str, Sequence[str]]
    stages: list[Stage[Any]] = field(default_factory=list)
    trained: Train | None = None
    questions: list[LoadQuestions] = field(default_factory=list)
    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    _verifiers: Mapping[str, Built[Verifier]] = field(default_factory=dict)

    def compiled(self) -> tuple[Stage[Any], ...]:
        self._verifiers = self._build_verifiers(self.recipe.verifier_specs(), "rewards")
        for index, spec in enumerate(self.recipe.bench):
            self._benchmark(index, spec)
        self._bench("base", 0)
        for index, iteration in enumerate(self.recipe.iterations, 1):
            position = f"iterations.{index - 1}"
            selected = self._traces(index, iteration.traces, f"{position}.traces") if iteration.traces else None
            for name, phase in iteration.train.items():
                self._phase(index, name, phase, selected, f"{position}.train.{name}")
        return tuple(self.stages)

    def _add(self, stage: S) -> S:
        if any(other.name == stage.name for other in self.stages):
            raise UsageError(
                f"The recipe {self.recipe.name} has two stages named {stage.name}.",
                "Give the phase another name, or name each benchmark once.",
            )
        self.stages.append(stage)
        return stage

    def _traces(self, index: int, traces: Traces, position: str) -> Select:
        rows: RowStage = self._load(str(index), index, traces.data, f"{position}.data")
        teacher: Built[Teacher] = self._build("teacher", traces.teacher, f"{position}.teacher")
        if teacher.component.uses_caption:
            rows = self._add(self._caption(index, rows, f"{position}.teacher"))
        distilled = self._add(
            Distill(
                name=f"distill-{index}", iteration=index, examples=rows, teacher=teacher,
                model=self._model(teacher.component.model, "teacher"), trained=self.trained,
            )
        )  # fmt: skip
        if not self._verifiers:
            raise UsageError(
                f"{self.recipe.position(position)}: the traces cannot be verified, for the recipe has no verifiers.",
                "Add the key rewards with a weight for each; 'openvlt list-plugins --kind verifier' lists them.",
            )
        judged = self._add(Verify(name=f"verify-{index}", iteration=index, traces=distilled, verifiers=self._verifiers))
        filters = self._filters(TraceFilter, traces.select, f"{position}.select")
        return self._add(Select(name=f"select-{index}", iteration=index, judged=judged, filters=filters))

    def _caption(self, index: int, rows: RowStage, position: str) -> Caption:
        if self.recipe.captioner is None:
            raise UsageError(
                f"{self.recipe.position(position)}: the teacher reads captions, and the recipe has no captioner.",
                "Add the key captioner; 'openvlt list-plugins --kind captioner' lists them.",
            )
        captioner: Built[Captioner] = self._build("captioner", self.recipe.captioner, "captioner")
        return Caption(
            name=f"caption-{index}", iteration=index, examples=rows, captioner=captioner, trained=self.trained,
            model=self._model(captioner.component.model, "captioner"),
        )  # fmt: skip

    def _load(self, name: str, index: int, data: Data, position: str) -> RowStage:
        source: Built[Source] = self._build("source", data.source, f"{position}.source")
        questions = tuple(self.questions)
        rows: RowStage = self._add(
            Load(
                name=f"load-{name}", iteration=index, data=data, source=source, questions=questions,
                limit=None if data.filters else data.limit,
            )
        )  # fmt: skip
        if not data.filters:
            return rows
        filters = self._filters(ExampleFilter, data.filters, f"{position}.filters")
        rates = None
        if any(PASS_RATE in built.component.needs for built in filters):
            rates = self._rates(name, index, rows)
        return self._add(
            Filter(
                name=f"filter-{name}", iteration=index, examples=rows, filters=filters, limit=data.limit, rates=rates,
                questions=questions,
            )
        )  # fmt: skip

    def _rates(self, name: str, index: int, rows: RowStage) -> Verify:
        """The stages that let the policy answer examples, and tell how often it is right."""
        teacher = self.registry.build("teacher", POLICY_TEACHER, format=self.recipe.format)
        samples = self._add(
            Distill(
                name=f"rate-{name}", iteration=index, examples=rows, teacher=teacher, trained=self.trained,
                model=self._model(teacher.component.model),
            )
        )  # fmt: skip
        return self._add(Verify(name=f"rate-verify-{name}", iteration=index, traces=samples, verifiers=self._verifiers))

    def _phase(self, index: int, name: str, phase: Phase, selected: Select | None, position: str) -> None:
        trainer: Built[Trainer] = self._build("trainer", phase.trainer, f"{position}.trainer")
        rows = self._rows(index, name, phase, selected, trainer, position)
        start = phase.start or Model(id="base" if trainer.component.reads == "traces" else "previous")
        start = replace(start, id="policy") if start.id == "previous" else start
        self.trained = self._add(
            Train(
                name=f"{name}-{index}", iteration=index, examples=rows, trainer=trainer, start=self._model(start),
                trained=self.trained, rewards=self._rewards(phase, trainer, position),
            )
        )  # fmt: skip
        self._bench(self.trained.name, index)

    def _rows(
        self, index: int, name: str, phase: Phase, selected: Select | None, trainer: Built[Trainer], position: str
    ) -> RowStage:
        """What a phase learns from: the traces its iteration has selected, or examples of its own."""
        reads, at = trainer.component.reads, f"{self.recipe.position(position)}: the trainer '{trainer.entry.name}'"
        if isinstance(phase.data, Data):
            if reads != "prompts":
                raise UsageError(
                    f"{at} reads {reads}, and a data block has none.",
                    "Remove data; it then reads the traces its iteration has selected.",
                )
            return self._load(f"{name}-{index}", index, phase.data, f"{position}.data")
        if reads == "prompts" and phase.data is None:
            raise UsageError(
                f"{at} reads prompts, and the phase has no data.",
                f"Add data: {{source: ...}}, or data: {TRACES} for the questions of this iteration's traces.",
            )
        if selected is None:
            raise UsageError(f"{at} reads traces, and the iteration makes none.", "Add traces to the iteration.")
        dropping = [built.entry.name for built in selected.filters if not built.component.keeps_incorrect]
        if reads == "pairs" and dropping:
            raise UsageError(
                f"{at} reads pairs of a correct and an incorrect trace, and the filter '{dropping[0]}' keeps no "
                "incorrect one.",
                "Remove the filter from select.",
            )
        return selected

    def _rewards(self, phase: Phase, trainer: Built[Trainer], position: str) -> Rewards:
        if not trainer.component.rewarded:
            return Rewards()
        weights = self.recipe.rewards if phase.rewards is None else phase.rewards
        if not weights:
            raise UsageError(
                f"{self.recipe.position(position)}: the trainer '{trainer.entry.name}' needs rewards, and the recipe "
                "has none.",
                "Add the key rewards with a weight for each verifier.",
            )
        missing = {name: {"use": name} for name in weights if name not in self._verifiers}
        verifiers = {**self._verifiers, **self._build_verifiers(missing, f"{position}.rewards")}
        return Rewards(verifiers, weights, self.recipe.routes)

    def _benchmark(self, index: int, spec: Mapping[str, object]) -> None:
        where = self.recipe.position(f"bench.{index}")
        benchmark = define(self.registry, spec, self.recipe.format, where=where)
        name = benchmark.name
        questions = self._add(LoadQuestions(name=f"load-{name}", iteration=0, benchmark=benchmark))
        self.questions.append(questions)
        self.scores[name] = {}
        for baseline, guesser in benchmark.benchmark.component.baselines().items():
            guess = Guess(
                name=f"bench-{name}-{baseline}", iteration=0, questions=questions, baseline=baseline, guesser=guesser
            )
            self._score(self._add(guess), baseline)

    def _bench(self, model_name: str, index: int) -> None:
        """Score the policy on every benchmark."""
        for questions in self.questions:
            ask = Ask(
                name=f"bench-{questions.benchmark.name}-{model_name}", iteration=index, questions=questions,
                trained=self.trained,
                sampling=Sampling(max_tokens=self.recipe.bench_tokens),
            )  # fmt: skip
            self._score(self._add(ask), model_name)

    def _score(self, answers: Guess | Ask, model_name: str) -> None:
        name = answers.questions.benchmark.name
        others = tuple(self.scores[name][other] for other in ("blind", "base") if other in self.scores[name])
        self.scores[name][model_name] = self._add(
            Score(
                name=f"score-{name}-{model_name}", iteration=answers.iteration, answers=answers,
                model_name=model_name, others=others,
            )
        )  # fmt: skip

    def _model(self, model: Model, role: str = "") -> Model:
        """What a component runs on: endpoints where the command line has any, the base where nothing is trained yet."""
        if model.id == "policy" and self.trained is None:
            model = replace(model, id="base")
        if not (urls := self.urls.pop(role, ())):
            return model
        return replace(model, url=tuple(urls), backend=keep_for_endpoints(model.backend, self.registry))

    def _build(self, kind: Kind, spec: str | Mapping[str, object], position: str) -> Built[Any]:
        return self.registry.build(kind, spec, format=self.recipe.format, where=self.recipe.position(position))

    def _filters(
        self, interface: type[F], specs: Sequence[Mapping[str, object]], position: str
    ) -> tuple[Built[F], ...]:
        """Build the filters of a place that takes only one of their two interfaces."""
        built = [self._build("filter", spec, f"{position}.{index}") for index, spec in enumerate(specs)]
        at = [self.recipe.position(f"{position}.{index}") for index in range(len(specs))]
        return tuple(as_filter(interface, one, where) for one, where in zip(built, at, strict=True))

    def _build_verifiers(self, specs: Mapping[str, Mapping[str, object]], position: str) -> dict[str, Built[Verifier]]:
        """Build verifiers; those without an entry of their own in the recipe are named at `position`."""
        return {
            name: self._build("verifier", spec, f"{'verifiers' if name in self.recipe.verifiers else position}.{name}")
            for name, spec in specs.items()
        }
