"""A verifier that shapes: it scores what was found correct before it."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from openvlt import Claim, Option, Verdict, Verifier


@dataclass(frozen=True)
class Brevity(Verifier):
    """Rewards correct answers that are reached in few words."""

    limit: Annotated[int, Ge(1), Option("full score up to", unit="words")] = 120

    def verify(self, claim: Claim) -> Verdict:
        words = len(claim.trace.think.split())
        score = min(1.0, self.limit / max(words, 1)) if claim.is_correct else 0.0
        return Verdict.scored(score, f"{words} words")
