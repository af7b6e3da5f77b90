"""The reward of a claim: the weighted sum of its scores, None if one of them is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openvlt.records import Claim, Verdict, Weight
from openvlt.verification.runner import VerifierRunner
from openvlt.verification.weights import Weights, WeightSpec


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
        UsageError: a weight is for a verifier that is not run, or its condition cannot hold.
    """

    def __init__(
        self,
        runner: VerifierRunner,
        weights: Mapping[str, WeightSpec],
        routes: Mapping[str, Mapping[str, WeightSpec]] | None = None,
    ) -> None:
        self.runner = runner
        self._weights = Weights.of(weights, routes)
        self._weights.check(list(runner.tallies))

    def score(self, claims: Sequence[Claim]) -> list[RewardRow]:
        """The reward of each claim, in order."""
        return [
            RewardRow(self._sum(verdicts, self._weights.on(claim.example.source)), verdicts)
            for claim, verdicts in zip(claims, self.runner.verdicts(claims, self._weights), strict=True)
        ]

    @staticmethod
    def _sum(verdicts: Mapping[str, Verdict], weights: Mapping[str, Weight]) -> float | None:
        total = 0.0
        for name, weight in weights.items():
            if not weight.applies(verdicts):
                continue
            score = verdicts[name].score
            if weight.weight and score is None:
                return None
            total += weight.weight * (score or 0.0)
        return total
