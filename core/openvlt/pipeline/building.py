"""Builds the components a recipe names; a wrong name or option is reported with its position in the recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, overload

from openvlt.errors import located
from openvlt.interfaces import Component, Kind, Verifier
from openvlt.recipe import Recipe
from openvlt.registry import Built, Registry, Spec
from openvlt.verification import Weights, WeightSpec, check_weight

C = TypeVar("C", bound=Component)


@dataclass(frozen=True, slots=True)
class Builder:
    """A recipe and the registry that knows its components; a `key` is one of the recipe's, such as ``bench.0``."""

    recipe: Recipe
    registry: Registry

    @overload
    def build(self, kind: type[C], spec: Spec, key: str) -> Built[C]: ...
    @overload
    def build(self, kind: Kind, spec: Spec, key: str) -> Built[Any]: ...
    def build(self, kind: type[C] | Kind, spec: Spec, key: str) -> Built[Any]:
        """Build the component at a key of the recipe."""
        return self.registry.build(kind, spec, format=self.recipe.format, where=self.where(key))

    def where(self, key: str) -> Callable[[str], str]:
        """Gives the source positions of a key of the recipe (for an empty name) and of the keys below it."""
        return lambda option: self.recipe.position(f"{key}.{option}" if option else key)

    def build_all(self, interface: type[C], specs: Sequence[Spec], key: str) -> tuple[Built[C], ...]:
        """Build the components of a list in the recipe."""
        return tuple(self.build(interface, spec, f"{key}.{index}") for index, spec in enumerate(specs))

    def verifiers(self, specs: Mapping[str, Spec], key: str) -> dict[str, Built[Verifier]]:
        """Build verifiers; those that are not named under the recipe's own `verifiers` are named at `key`."""
        return {
            name: self.build(Verifier, spec, f"{'verifiers' if name in self.recipe.verifiers else key}.{name}")
            for name, spec in specs.items()
        }

    def weights(
        self,
        weights: Mapping[str, WeightSpec],
        routes: Mapping[str, Mapping[str, WeightSpec]],
        verifiers: Mapping[str, Built[Verifier]],
        key: str = "rewards",
    ) -> tuple[Weights, dict[str, Built[Verifier]]]:
        """Read the weights at a key of the recipe; returns them with the verifiers in the order they run."""
        found = Weights.of(weights, routes)
        order = found.order(verifiers)
        for source, block in found.blocks:
            for name, weight in block.items():
                place = f"{f'routes.{source}' if source else key}.{name}"
                with located(partial(self.recipe.position, place)):
                    check_weight(name, weight, order)
        return found, {name: verifiers[name] for name in order}
