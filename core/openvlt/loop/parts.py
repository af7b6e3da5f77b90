"""The components a recipe names, built before any work, so that a misspelt option costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from openvlt.bench.definition import Defined, define
from openvlt.engines.backend_choice import ENDPOINTS
from openvlt.interfaces import Captioner, Teacher
from openvlt.recipe import Data, Iteration, Recipe
from openvlt.records import Model
from openvlt.registry import Built, Registry
from openvlt.stages.train import Rewards


@dataclass(frozen=True, slots=True)
class Loaded:
    """A source and its example filters."""

    data: Data
    source: Built
    filters: tuple[Built, ...]


@dataclass(frozen=True, slots=True)
class Reinforced:
    """One reinforcement run."""

    loaded: Loaded
    trainer: Built
    rewards: Rewards


@dataclass(frozen=True, slots=True)
class Turn:
    """The components of one iteration; `model` is what the teacher runs on."""

    loaded: Loaded
    teacher: Built
    model: Model
    filters: tuple[Built, ...]
    sft: Built | None
    grpo: tuple[Reinforced, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """The components of a whole recipe.

    Attributes:
        captioner: with the model it runs on; None if no teacher needs a caption.
        verifiers: by reward name, in the order they are asked.
        turns: one for each iteration.
        benchmarks: those every model is scored on.
    """

    captioner: tuple[Built, Model] | None
    verifiers: Mapping[str, Built]
    turns: tuple[Turn, ...]
    benchmarks: tuple[Defined, ...]


def build_parts(recipe: Recipe, registry: Registry, urls: Mapping[str, Sequence[str]] | None = None) -> Parts:
    """Build all components of a recipe.

    Args:
        recipe: names them.
        registry: knows them.
        urls: ``captioner`` and ``teacher`` to endpoints that serve their models.

    Raises:
        PluginError, UsageError: a name or an option is wrong; the message says where it stands.
    """
    urls = urls or {}
    builder = _Builder(recipe, registry)
    verifiers = builder.verifiers(recipe.verifier_specs())
    turns = tuple(
        builder.turn(index, iteration, verifiers, urls if index == 0 else {})
        for index, iteration in enumerate(recipe.iterations)
    )
    captioner = None
    if any(isinstance(turn.teacher.component, Teacher) and turn.teacher.component.uses_caption for turn in turns):
        built = builder.build("captioner", recipe.captioner, "captioner")
        captioner = (built, served(built, urls.get("captioner", ())))
    benchmarks = tuple(
        define(registry, spec, recipe.format, where=recipe.place(f"bench.{index}"))
        for index, spec in enumerate(recipe.bench)
    )
    return Parts(captioner, verifiers, turns, benchmarks)


def served(built: Built, urls: Sequence[str]) -> Model:
    """What a captioner or teacher runs on: its own model, asked at endpoints where there are any."""
    assert isinstance(built.component, Captioner | Teacher)
    model = built.component.model
    if not urls:
        return model
    named = model.backend.get("use") if isinstance(model.backend, Mapping) else model.backend
    return replace(model, url=tuple(urls), backend=model.backend if named == ENDPOINTS else None)


@dataclass(frozen=True, slots=True)
class _Builder:
    recipe: Recipe
    registry: Registry

    def build(self, kind: Any, spec: Mapping[str, Any], where: str) -> Built:
        return self.registry.build(kind, spec, format=self.recipe.format, where=self.recipe.place(where))

    def verifiers(self, specs: Mapping[str, Mapping[str, Any]], where: str = "rewards") -> dict[str, Built]:
        """Build verifiers; those without an entry of their own stand under `where`."""
        return {
            name: self.build("verifier", spec, f"{'verifiers' if name in self.recipe.verifiers else where}.{name}")
            for name, spec in specs.items()
        }

    def loaded(self, data: Data, where: str) -> Loaded:
        filters = (self.build("filter", spec, f"{where}.filters.{i}") for i, spec in enumerate(data.filters))
        return Loaded(data, self.build("source", data.source, f"{where}.source"), tuple(filters))

    def turn(
        self, index: int, iteration: Iteration, verifiers: Mapping[str, Built], urls: Mapping[str, Sequence[str]]
    ) -> Turn:
        where = f"iterations.{index}"
        teacher = self.build("teacher", iteration.teacher, f"{where}.teacher")
        filters = (self.build("filter", spec, f"{where}.select.{i}") for i, spec in enumerate(iteration.select))
        return Turn(
            loaded=self.loaded(iteration.data, f"{where}.data"),
            teacher=teacher,
            model=served(teacher, urls.get("teacher", ())),
            filters=tuple(filters),
            sft=self.build("trainer", iteration.sft, f"{where}.sft") if iteration.sft else None,
            grpo=tuple(
                Reinforced(
                    self.loaded(each.data, f"{where}.grpo.{i}.data"),
                    self.build("trainer", each.trainer, f"{where}.grpo.{i}.trainer"),
                    self._rewards(each.rewards, verifiers, f"{where}.grpo.{i}.rewards"),
                )
                for i, each in enumerate(iteration.grpo)
            ),
        )

    def _rewards(self, weights: Mapping[str, float] | None, verifiers: Mapping[str, Built], where: str) -> Rewards:
        chosen = self.recipe.rewards if weights is None else weights
        missing = {name: {"use": name} for name in chosen if name not in verifiers}
        return Rewards({**verifiers, **self.verifiers(missing, where)}, chosen, self.recipe.routes)
