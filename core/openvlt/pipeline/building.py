"""Builds the components a recipe names; a wrong name or option is reported with its position in the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openvlt.interfaces import Kind, Verifier
from openvlt.recipe import Recipe
from openvlt.registry import Built, Registry
from openvlt.registry.filters import F, as_filter


@dataclass(frozen=True, slots=True)
class Builder:
    """A recipe and the registry that knows its components; a `key` is one of the recipe's, such as ``bench.0``."""

    recipe: Recipe
    registry: Registry

    def build(self, kind: Kind, spec: str | Mapping[str, object], key: str) -> Built[Any]:
        """Build the component at a key of the recipe."""
        return self.registry.build(kind, spec, format=self.recipe.format, where=self.recipe.position(key))

    def filters(self, interface: type[F], specs: Sequence[Mapping[str, object]], key: str) -> tuple[Built[F], ...]:
        """Build the filters of a key that takes only one of their two interfaces."""
        keys = [f"{key}.{index}" for index in range(len(specs))]
        return tuple(
            as_filter(interface, self.build("filter", spec, at), self.recipe.position(at))
            for spec, at in zip(specs, keys, strict=True)
        )

    def verifiers(self, specs: Mapping[str, Mapping[str, object]], key: str) -> dict[str, Built[Verifier]]:
        """Build verifiers; those that are not named under the recipe's own `verifiers` are named at `key`."""
        return {
            name: self.build("verifier", spec, f"{'verifiers' if name in self.recipe.verifiers else key}.{name}")
            for name, spec in specs.items()
        }
