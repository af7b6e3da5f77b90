"""A penalty on repetition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from openvlt import Claim, Option, Verdict, Verifier


@dataclass(frozen=True)
class Repetition(Verifier):
    """The negated fraction of n-grams that are repeats (arXiv 2502.03373, appendix; TRL `repetition_penalty`).

    ``-(1 - distinct / all)`` over the n-grams of the claim's tokens, or of its words if it has no tokens; 0 for
    a response of fewer than `size`.
    """

    range: ClassVar[tuple[float, float]] = (-1.0, 0.0)
    inline: ClassVar[bool] = True

    size: Annotated[int, Ge(1), Option("length of an n-gram", unit="tokens")] = 3

    def verify(self, claim: Claim) -> Verdict:
        units: Sequence[object] = claim.response.lower().split() if claim.token_ids is None else claim.token_ids
        total = len(units) - self.size + 1
        if total < 1:
            return Verdict.scored(0.0, "too short for repeats")
        distinct = len(set(zip(*(units[start:] for start in range(self.size)), strict=False)))
        return Verdict.scored(distinct / total - 1.0, f"{total - distinct} of {total} {self.size}-grams are repeats")
