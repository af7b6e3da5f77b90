"""Finds the facts that filters need among those of the recipe and of the plugins; what is unknown is refused here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openvlt.errors import UsageError, closest
from openvlt.interfaces import Asking, ExampleFilter, ProgramFact, SampledFact, Verifier
from openvlt.pipeline.building import Builder
from openvlt.pipeline.model_checks import check_asked, check_model
from openvlt.records import Model
from openvlt.registry import Built
from openvlt.stages.ask import MODEL
from openvlt.stages.asker import models_asked, models_of_run
from openvlt.stages.facts import Needed
from openvlt.stages.filter import Choice, needs
from openvlt.stages.workspace import Workspace
from openvlt.verification import Weights

BENCHMARK_IMAGES = "benchmark_images"
"""The one fact that the core tells itself: it has an entry for the digest of each image of a benchmark."""


def needed_facts(
    builder: Builder,
    filters: Sequence[Built[ExampleFilter]],
    position: str,
    verifiers: Mapping[str, Built[Verifier]],
    weights: Weights,
    of_run: Callable[[Model], Model],
) -> dict[str, Needed]:
    """The facts that filters need, by name.

    Args:
        builder: knows the recipe and the plugins.
        filters: in order.
        position: of the filters in the recipe.
        verifiers: judge what a `SampledFact` samples, by `weights`.
        of_run: the policy, as it is at this place of the run.

    Raises:
        UsageError: there is no such fact; the message says who needs it, and names the closest one.
        PluginError: it cannot be built.
    """
    recipe, found = builder.recipe, dict[str, Needed]()
    for index, built in enumerate(filters):
        at = f"{position}.{index}"
        for name in needs(built):
            if name in found or name == BENCHMARK_IMAGES:
                continue
            if name not in (known := [*recipe.facts, *builder.registry.names("fact"), BENCHMARK_IMAGES]):
                raise UsageError(
                    f"{recipe.position(at)}: the filter '{built.entry.name}' needs the fact '{name}', which neither "
                    "the recipe names nor a plugin registers.",
                    closest(name, known),
                )
            spec, key = (recipe.facts[name], f"facts.{name}") if name in recipe.facts else (name, at)
            found[name] = _needed(builder, builder.build("fact", spec, key), key, verifiers, weights, of_run)
    return found


def _needed(
    builder: Builder,
    fact: Built[Any],
    key: str,
    verifiers: Mapping[str, Built[Verifier]],
    weights: Weights,
    of_run: Callable[[Model], Model],
) -> Needed:
    if isinstance(fact.component, Asking):
        return Needed(fact, models={MODEL: fact.component.model})
    if not isinstance(fact.component, SampledFact):
        return Needed(fact)
    who = f"{builder.recipe.position(key)}: the fact '{fact.entry.name}' samples chains"
    if not verifiers:
        raise UsageError(
            f"{who}, which cannot be verified, because the recipe has no verifiers.",
            "Add the key rewards or verifiers; 'openvlt list-plugins --kind verifier' lists the verifiers.",
        )
    teacher = builder.build("teacher", fact.options["teacher"], key)
    if teacher.component.uses_caption:
        raise UsageError(
            f"{who} of the teacher '{teacher.entry.name}', which reads captions, and a fact has none.",
            "Name a teacher that reads the images itself.",
        )
    models = {option: of_run(model) for option, model in models_of_run(teacher).items()}
    return Needed(fact, teacher, models, verifiers, weights)


def models_of(choice: Choice, position: str) -> dict[str, Model]:
    """The models that the filters of a choice and the facts they need ask, by the recipe's key of each.

    Args:
        choice: the filters.
        position: of the filters in the recipe.
    """
    models: dict[str, Model] = {}
    for index, built in enumerate(choice.filters):
        models |= {f"{position}.{index}.model": model for model in models_asked([built])}
    for name, need in choice.facts.items():
        models |= {f"facts.{name}.teacher.{option}": model for option, model in need.models.items()}
        for verifier, judging in need.verifiers.items():
            models |= {f"verifiers.{verifier}.model": model for model in models_asked([judging])}
    return models


def check_choice(workspace: Workspace, choice: Choice, position: str) -> None:
    """Refuse, before any work, a model that cannot run here, and data of a fact that cannot be used.

    Args:
        workspace: finds the models.
        choice: the filters.
        position: of the filters in the recipe.

    Raises:
        UsageError, DataError: what is missing, and what to do instead.
    """
    for index, built in enumerate(choice.filters):
        check_asked(workspace, built, f"{position}.{index}.model")
    for name, need in choice.facts.items():
        check_asked(workspace, need.fact, f"facts.{name}.model")
        for option, model in need.models.items() if need.teacher else ():
            check_model(workspace, model, f"fact {name}", f"facts.{name}.teacher.{option}")
        for verifier, judging in need.verifiers.items():
            check_asked(workspace, judging, f"verifiers.{verifier}.model")
        if isinstance(need.fact.component, ProgramFact):
            with need.fact.guarded("revision"):
                need.fact.component.revision()
