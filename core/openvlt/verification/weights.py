"""Which verifiers run on a claim, and what their scores count."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias, get_args

from openvlt.errors import UsageError, closest
from openvlt.records import Verdict, Weight
from openvlt.records.claim import Status

WeightSpec: TypeAlias = float | Weight | Mapping[str, Any]
"""A weight: a number, or ``{"weight": ..., "when": "VERIFIER.STATUS"}``."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of a reward.

    Attributes:
        default: by verifier name.
        routes: by source, for its examples instead.
    """

    default: Mapping[str, Weight] = field(default_factory=dict)
    routes: Mapping[str, Mapping[str, Weight]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, default: Mapping[str, WeightSpec], routes: Mapping[str, Mapping[str, WeightSpec]] | None = None
    ) -> Self:
        """Read weights as a recipe or a caller writes them."""
        return cls(_read(default), {source: _read(route) for source, route in (routes or {}).items()})

    def on(self, source: str) -> Mapping[str, Weight]:
        """The weights for the examples of a source."""
        return self.routes.get(source, self.default)

    @property
    def blocks(self) -> list[tuple[str, Mapping[str, Weight]]]:
        """The default and all routes, by source; that of the default is empty."""
        return [("", self.default), *self.routes.items()]

    @property
    def conditions(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What decides which verifiers run, by source: each name with a weight and its condition."""
        return [(source, [(name, weight.when) for name, weight in block.items()]) for source, block in self.blocks]

    def order(self, names: Collection[str]) -> list[str]:
        """The names in the order their verifiers run: as given, but each after those that its conditions name."""
        needs: dict[str, set[str]] = {name: set() for name in names}
        for _, block in self.blocks:
            for name, weight in block.items():
                needs.setdefault(name, set()).add(weight.when.rpartition(".")[0])
        left, placed = list(names), list[str]()
        while left:
            placed.append(next((name for name in left if needs[name].isdisjoint(left)), left[0]))
            left.remove(placed[-1])
        return placed

    def needed(self, name: str) -> bool:
        """True if a verifier has a weight, or a condition names it."""
        return any(
            name in (each, weight.when.rpartition(".")[0]) for _, block in self.blocks for each, weight in block.items()
        )

    def run(self, name: str, source: str, verdicts: Mapping[str, Verdict], *, asks: bool) -> bool:
        """True if a verifier is run on a claim.

        Args:
            name: of the verifier.
            source: of the claim's example.
            verdicts: on the claim, of the verifiers before it.
            asks: True if it asks a model; it then costs too much to run where only other sources have a weight for it.
        """
        weight = self.on(source).get(name)
        if weight is not None:
            return weight.applies(verdicts)
        return not asks or not any(name in block for _, block in self.blocks)

    def check(self, names: Sequence[str]) -> None:
        """Refuse weights that cannot be used.

        Args:
            names: of the verifiers, in the order they run.

        Raises:
            UsageError: a weight is for a verifier that is not run, or its condition cannot hold.
        """
        for _, block in self.blocks:
            for name, weight in block.items():
                check_weight(name, weight, names)


UNWEIGHTED = Weights()
"""Every verifier runs on every claim."""


def check_weight(name: str, weight: Weight, names: Sequence[str]) -> None:
    """Refuse a weight that cannot be used; see `Weights.check`."""
    if name not in names:
        raise UsageError(
            f"The rewards have a weight for '{name}', which is not among the verifiers.", closest(name, list(names))
        )
    if not weight.when:
        return
    earlier, statuses = list(names)[: list(names).index(name)], list(get_args(Status))
    of, _, status = weight.when.rpartition(".")
    what = f"The weight of '{name}' has the condition '{weight.when}'"
    if of not in names:
        raise UsageError(f"{what}, and '{of}' is not among the verifiers.", closest(of, list(names)))
    if of not in earlier:
        raise UsageError(f"{what}, and '{of}' cannot run before it.", "Remove a condition: none may wait for itself.")
    if status not in statuses:
        raise UsageError(f"{what}, and '{status}' is no status of a verdict.", closest(status, statuses))


def _read(block: Mapping[str, WeightSpec]) -> dict[str, Weight]:
    found = dict[str, Weight]()
    for name, spec in block.items():
        try:
            if isinstance(spec, Weight):
                found[name] = spec
            elif isinstance(spec, Mapping):
                found[name] = Weight(**{**spec, "weight": float(spec["weight"])})
            else:
                found[name] = Weight(weight=float(spec))
        except (TypeError, ValueError, KeyError):
            raise UsageError(
                f"The weight of '{name}' is {spec!r}.", 'Give a number, or {"weight": 0.3, "when": "answer.unparsed"}.'
            ) from None
    return found
