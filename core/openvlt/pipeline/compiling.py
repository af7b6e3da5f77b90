"""From a recipe to the one list of its stages; whatever cannot be carried out is an error here, before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from openvlt.bench.definition import define
from openvlt.engines.backend_choice import keep_for_endpoints
from openvlt.errors import UsageError, closest, located
from openvlt.interfaces import (
    ExampleFilter,
    Source,
    TraceFilter,
    Trainer,
    Verifier,
)
from openvlt.pipeline.bench_stages import Ask, Guess, LoadQuestions, Score
from openvlt.pipeline.building import Builder
from openvlt.pipeline.data_stages import Filter, Load
from openvlt.pipeline.needed_facts import models_of, needed_facts
from openvlt.pipeline.stage import RowStage, Stage
from openvlt.pipeline.trace_stages import Caption, Distill, Select, Verify
from openvlt.pipeline.train_stage import Train
from openvlt.recipe import TRACES, Data, Iteration, Phase, Recipe
from openvlt.records import Model, Sampling
from openvlt.registry import Built, Registry
from openvlt.stages.ask import MODEL
from openvlt.stages.asker import model_options, models_asked, models_of_run
from openvlt.stages.filter import Choice
from openvlt.stages.train import Rewards
from openvlt.verification import UNWEIGHTED, Weights, asking_among

S = TypeVar("S", bound=Stage[Any])

CORRECT_TRACES = "correct"
"""The filter of an iteration that selects by none of its own."""


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
    return _Compiler(Builder(recipe, registry), dict(urls or {})).compiled()


@dataclass
class _Compiler:
    """Walks a recipe once.

    Attributes:
        stages: those compiled so far.
        trained: the last training among them, whose model is the policy.
        questions: of each benchmark, by which images are held out.
        scores: of each benchmark, by the model that was scored.
    """

    builder: Builder
    urls: dict[str, Sequence[str]]
    stages: list[Stage[Any]] = field(default_factory=list)
    trained: Train | None = None
    questions: list[LoadQuestions] = field(default_factory=list)
    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    baselines: dict[str, Set[str]] = field(default_factory=dict)
    _verifiers: Mapping[str, Built[Verifier]] = field(default_factory=dict)
    _weights: Weights = UNWEIGHTED
    _served_roles: set[str] = field(default_factory=set)

    @property
    def recipe(self) -> Recipe:
        return self.builder.recipe

    def compiled(self) -> tuple[Stage[Any], ...]:
        for name, spec in self.recipe.facts.items():
            self.builder.build("fact", spec, f"facts.{name}")
        verifiers = self.builder.verifiers(self.recipe.verifier_specs(), "rewards")
        self._weights, self._verifiers = self.builder.weights(self.recipe.rewards, self.recipe.routes, verifiers)
        for index, spec in enumerate(self.recipe.bench):
            self._benchmark(index, spec)
        self._bench("base", 0)
        for index, iteration in enumerate(self.recipe.iterations, 1):
            position = f"iterations.{index - 1}"
            selected = self._traces(index, iteration, f"{position}.traces")
            for name, phase in iteration.train.items():
                self._phase(index, name, phase, selected, f"{position}.train.{name}")
        self._check_routes()
        for role, urls in self.urls.items():
            if urls and role not in self._served_roles:
                raise UsageError(f"--{role}-url has no effect: the recipe asks no {role}.", "Omit it.")
        return tuple(self.stages)

    def _check_routes(self) -> None:
        """A route of a source that the recipe does not load is of no harm: `--source` replaces one."""
        loaded = {stage.source.entry.name for stage in self.stages if isinstance(stage, Load)}
        for source in self.recipe.routes.keys() - loaded:
            with located(partial(self.recipe.position, f"routes.{source}")):
                self.builder.registry.find("source", source)

    def _add(self, stage: S) -> S:
        if any(other.name == stage.name for other in self.stages):
            raise UsageError(
                f"The recipe {self.recipe.name} has two stages named {stage.name}.",
                "Give the phase another name.",
            )
        self.stages.append(stage)
        return stage

    def _traces(self, index: int, iteration: Iteration, position: str) -> Select | None:
        traces = iteration.traces
        if traces is None:
            return None
        rows: RowStage = self._load(str(index), index, traces.data, f"{position}.data")
        teacher = self.builder.build("teacher", traces.teacher, f"{position}.teacher")
        if teacher.component.uses_caption:
            rows = self._add(self._caption(index, rows, f"{position}.teacher"))
        judged = self._sampled(index, rows, teacher, self._asked(teacher), position)
        specs = self._default_select(index, iteration) if traces.select is None else traces.select
        filters = self.builder.build_all(TraceFilter, specs, f"{position}.select")
        for built in filters:
            for needed in built.component.needs:
                if needed not in self._verifiers:
                    raise UsageError(
                        f"{self.recipe.position(f'{position}.select')}: the filter '{built.entry.name}' needs the "
                        f"verdicts of '{needed}', which is no verifier of the recipe.",
                        closest(needed, list(self._verifiers)),
                    )
        trained = self._policy(*models_asked(filters))
        return self._add(
            Select(name=f"select-{index}", iteration=index, judged=judged, filters=filters, trained=trained)
        )

    def _sampled(
        self, index: int, rows: RowStage, teacher: Built[Any], models: Mapping[str, Model], position: str
    ) -> Verify:
        """The two stages that sample chains and verify them."""
        if not self._verifiers:
            raise UsageError(
                f"{self.recipe.position(position)}: traces cannot be verified, because the recipe has no verifiers.",
                "Add the key rewards or verifiers; 'openvlt list-plugins --kind verifier' lists the verifiers.",
            )
        traces = self._add(
            Distill(
                name=f"distill-{index}",
                iteration=index,
                examples=rows,
                teacher=teacher,
                models=models,
                trained=self._policy(*models.values()),
            )
        )
        return self._add(
            Verify(
                name=f"verify-{index}", iteration=index, traces=traces, verifiers=self._verifiers,
                weights=self._weights, trained=self._policy(*models_asked(self._verifiers.values())),
            )
        )  # fmt: skip

    def _caption(self, index: int, rows: RowStage, position: str) -> Caption:
        if self.recipe.captioner is None:
            raise UsageError(
                f"{self.recipe.position(position)}: the teacher reads captions, and the recipe has no captioner.",
                "Add the key captioner; 'openvlt list-plugins --kind captioner' lists them.",
            )
        captioner = self.builder.build("captioner", self.recipe.captioner, "captioner")
        models = self._asked(captioner)
        return Caption(
            name=f"caption-{index}", iteration=index, examples=rows, captioner=captioner, models=models,
            trained=self._policy(*models.values()),
        )  # fmt: skip

    def _asked(self, built: Built[Any]) -> dict[str, Model]:
        """The models that a teacher or captioner asks, by option."""
        return {
            option: self._served(model, built.entry.kind) if option == MODEL else self._of_run(model)
            for option, model in models_of_run(built).items()
        }

    def _load(self, name: str, index: int, data: Data, position: str) -> RowStage:
        source = self.builder.build(Source, data.source, f"{position}.source")
        questions = tuple(self.questions)
        key = f"{position}.filters"
        filters = self.builder.build_all(ExampleFilter, data.filters, key)
        facts = needed_facts(self.builder, filters, key, self._verifiers, self._weights, self._of_run)
        choice = Choice(filters, data.limit, facts)
        trained = self._policy(*models_of(choice, key).values())
        is_early = bool(filters) and choice.is_row_by_row
        loaded = self._add(
            Load(
                name=f"load-{name}", iteration=index, data=data, position=self.builder.where(position), source=source,
                questions=questions, limit=None if filters else data.limit, until=choice if is_early else None,
                trained=trained if is_early else None, near_duplicates=self.recipe.near_duplicates,
            )
        )  # fmt: skip
        if not filters:
            return loaded
        return self._add(
            Filter(
                name=f"filter-{name}", iteration=index, examples=loaded, choice=choice, position=key,
                questions=questions, trained=trained,
            )
        )  # fmt: skip

    def _default_select(self, index: int, iteration: Iteration) -> list[dict[str, Any]]:
        """Only correct traces, unless nothing verifies them, or a phase learns from incorrect ones too."""
        trainers = (
            self.builder.build(Trainer, phase.trainer, f"iterations.{index - 1}.train.{name}.trainer")
            for name, phase in iteration.train.items()
        )
        keeps_all = not self._verifiers or any(each.component.reads == "pairs" for each in trainers)
        return [] if keeps_all else [{"use": CORRECT_TRACES}]

    def _phase(self, index: int, name: str, phase: Phase, selected: Select | None, position: str) -> None:
        trainer = self.builder.build(Trainer, phase.trainer, f"{position}.trainer")
        rows = self._rows(index, name, phase, selected, trainer, position)
        start = phase.start or Model(id="base" if trainer.component.reads == "traces" else "previous")
        start = self._of_run(replace(start, id="policy") if start.id == "previous" else start)
        self.trained = self._add(
            Train(
                name=f"{name}-{index}", iteration=index, examples=rows, trainer=trainer, start=start,
                trained=self._policy(start, *model_options(trainer).values()),
                rewards=self._rewards(phase, trainer, position), min_rows=phase.min_rows, seed=phase.seed,
            )
        )  # fmt: skip
        self._bench(self.trained.name, index)

    def _rows(
        self, index: int, name: str, phase: Phase, selected: Select | None, trainer: Built[Trainer], position: str
    ) -> RowStage:
        """What a phase learns from: the traces its iteration has selected, or examples (ready traces) of its own."""
        reads, at = trainer.component.reads, f"{self.recipe.position(position)}: the trainer '{trainer.entry.name}'"
        if isinstance(phase.data, Data):
            if reads == "pairs":
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
            raise UsageError(f"{at} reads {reads}, and the iteration has no traces.", "Add traces to the iteration.")
        dropping = [built.entry.name for built in selected.filters if not built.component.keeps_incorrect]
        if reads == "pairs" and dropping:
            raise UsageError(
                f"{at} reads pairs of a correct and an incorrect trace, and the filter '{dropping[0]}' keeps no "
                "incorrect one.",
                "Remove the filter from select.",
            )
        if reads == "pairs" and selected.judged.traces.samples < 2:
            raise UsageError(
                f"{at} reads pairs of a correct and an incorrect trace, and the teacher gives one trace of a question.",
                "Set the teacher's option k to 2 or more.",
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
        verifiers = {**self._verifiers, **self.builder.verifiers(missing, f"{position}.rewards")}
        routes = self.recipe.routes if phase.rewards is None else {}
        key = "rewards" if phase.rewards is None else f"{position}.rewards"
        used, verifiers = self.builder.weights(weights, routes, verifiers, key)
        # asking costs: a verifier that asks for the sake of the traces alone is not asked in a training
        unused = {name for name in asking_among(verifiers) if not used.needed(name)}
        return Rewards({name: built for name, built in verifiers.items() if name not in unused}, weights, routes)

    def _benchmark(self, index: int, spec: Mapping[str, object]) -> None:
        where = self.builder.where(f"bench.{index}")
        benchmark = define(self.builder.registry, spec, self.recipe.format, where=where)
        name = benchmark.name
        if name in self.scores:
            raise UsageError(
                f"{where('')}: the benchmark {name} is named twice.",
                "Name each once, or call one of them something else (the key name).",
            )
        questions = self._add(LoadQuestions(name=f"load-{name}", iteration=0, benchmark=benchmark))
        self.questions.append(questions)
        self.scores[name] = {}
        baselines = benchmark.baselines  # once: a benchmark may read its data for them
        self.baselines[name] = baselines.keys()
        for baseline, guesser in baselines.items():
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
        scores, baselines = self.scores[name], self.baselines[name]
        others = tuple(score for other, score in scores.items() if other == "base" or other in baselines)
        scores[model_name] = self._add(
            Score(
                name=f"score-{name}-{model_name}", iteration=answers.iteration, answers=answers,
                model_name=model_name, others=others,
            )
        )  # fmt: skip

    def _served(self, model: Model, role: str) -> Model:
        """What a captioner or the first teacher runs on: endpoints where the command line has any."""
        urls = () if role == "teacher" and role in self._served_roles else self.urls.get(role, ())
        if urls:
            if model.id == "policy" and self.trained is not None:
                raise UsageError(
                    f"--{role}-url: the {role} is the policy, which is trained in the run.", "Omit it, or name a model."
                )
            self._served_roles.add(role)
            model = replace(model, url=tuple(urls), backend=keep_for_endpoints(model.backend, self.builder.registry))
        return self._of_run(model)

    def _of_run(self, model: Model) -> Model:
        """The policy is the base where nothing has been trained yet."""
        return replace(model, id="base") if model.id == "policy" and self.trained is None else model

    def _policy(self, *models: Model) -> Train | None:
        """The training stage a stage depends on that runs these models."""
        return self.trained if any(model.id == "policy" for model in models) else None
