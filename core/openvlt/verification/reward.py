"""The reward of a claim: the weighted sum of its scores, None if one of them is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openvlt.errors import UsageError, closest
from openvlt.records import Claim, Verdict
from openvlt.verification.runner import VerifierRunner


@dataclass(frozen=True, slots=True)
class RewardRow:
    """The reward of one claim, and its reasons.

    Attributes:
        reward: the weighted sum; None if a verifier with a weight gave no score: the claim then counts neither for nor
            against the policy.
        verdicts: by verifier, in recipe order.
    """

    reward: float | None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


class Reward:
    """The composite reward of a recipe.

    Args:
        runner: runs the verifiers.
        weights: verifier name to its weight in the sum.
        routes: source name to the weights used for its examples instead.

    Raises:
        UsageError: a weight is for a verifier that is not run.
    """

    def __init__(
        self,
        runner: VerifierRunner,
        weights: Mapping[str, float],
        routes: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self.runner = runner
        self._weights = dict(weights)
        self._routes = {source: dict(route) for source, route in (routes or {}).items()}
        for name in {name for route in (self._weights, *self._routes.values()) for name in route}:
            if name not in runner.tallies:
                raise UsageError(
                    f"The rewards have a weight for '{name}', which is not among the verifiers.",
                    closest(name, list(runner.tallies)),
                )

    def score(self, claims: Sequence[Claim]) -> list[RewardRow]:
        """The reward of each claim, in order."""
        return [
            RewardRow(self._sum(verdicts, self._routes.get(claim.example.source, self._weights)), verdicts)
            for claim, verdicts in zip(claims, self.runner.verdicts(claims), strict=True)
        ]

    @staticmethod
    def _sum(verdicts: Mapping[str, Verdict], weights: Mapping[str, float]) -> float | None:
        total = 0.0
        for name, weight in weights.items():
            score = verdicts[name].score
            if weight and score is None:
                return None
            total += weight * (score or 0.0)
        return total
