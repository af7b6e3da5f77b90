"""Rewards that depend on the length of a response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from openvlt import Claim, Option, Verdict, Verifier


@dataclass(frozen=True)
class Overlong(Verifier):
    """DAPO's soft overlong punishment (arXiv 2503.14476, eq. 13).

    For a response of n tokens: 0 if ``n <= limit - buffer``; ``(limit - buffer - n) / buffer`` up to the limit; -1
    beyond it. n is the number of the claim's token ids, else the engine's count; without either, the verdict is not
    applicable.
    """

    range: ClassVar[tuple[float, float]] = (-1.0, 0.0)
    inline: ClassVar[bool] = True

    limit: Annotated[int, Option("length from which the penalty is full", unit="tokens")] = 2048
    buffer: Annotated[int, Option("length before the limit over which the penalty grows", unit="tokens")] = 512

    def __post_init__(self) -> None:
        if not 0 < self.buffer <= self.limit:
            raise ValueError(f"buffer must be between 1 and limit ({self.limit}), not {self.buffer}")

    def verify(self, claim: Claim) -> Verdict:
        tokens = _tokens(claim)
        if tokens is None:
            return Verdict.not_applicable("the number of tokens is unknown")
        left = self.limit - self.buffer - tokens
        return Verdict.scored(max(-1.0, min(0.0, left / self.buffer)), f"{tokens} tokens")


@dataclass(frozen=True)
class GroupLength(Verifier):
    """Kimi k1.5's length reward (arXiv 2501.12599, section 2.3.3): shorter responses of a group score higher.

    For a response of length n, ``lambda = 0.5 - (n - shortest) / (longest - shortest)`` over the lengths of the group.
    A correct response scores lambda, another one ``min(0, lambda)``; all score 0 if all lengths are equal. It needs a
    correctness verifier before it in the recipe. Lengths are in tokens, or in words without token counts.
    """

    range: ClassVar[tuple[float, float]] = (-0.5, 0.5)
    inline: ClassVar[bool] = True
    grouped: ClassVar[bool] = True

    def verify(self, claim: Claim) -> Verdict:
        return self.verify_group([claim])[0]

    def verify_group(self, claims: Sequence[Claim]) -> list[Verdict]:
        counts = [_tokens(claim) for claim in claims]
        lengths = [
            len(claim.response.split()) if None in counts else count or 0
            for claim, count in zip(claims, counts, strict=True)
        ]
        shortest, longest = min(lengths, default=0), max(lengths, default=0)
        if shortest == longest:
            return [Verdict.scored(0.0, "all lengths of the group are equal") for _ in claims]
        verdicts = []
        for claim, length in zip(claims, lengths, strict=True):
            score = 0.5 - (length - shortest) / (longest - shortest)
            score = score if claim.is_correct else min(0.0, score)
            verdicts.append(Verdict.scored(score, f"{length} of {shortest} to {longest}"))
        return verdicts


def _tokens(claim: Claim) -> int | None:
    if claim.token_ids is not None:
        return len(claim.token_ids)
    return claim.trace.completion_tokens or None
