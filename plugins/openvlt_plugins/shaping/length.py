"""Rewards that depend on the length of a response."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from annotated_types import Ge, Interval

from openvlt import Claim, Option, Verdict, Verifier

Reward: TypeAlias = Annotated[float, Interval(ge=-10, le=10)]


@dataclass(frozen=True)
class Overlong(Verifier):
    """DAPO's soft overlong punishment (arXiv 2503.14476, eq. 13).

    For a response of n tokens: 0 if ``n <= limit - buffer``; ``(limit - buffer - n) / buffer`` up to the limit; -1
    beyond it. n is the number of the claim's token ids, else the engine's count; without either, the verdict is not
    applicable.
    """

    range: ClassVar[tuple[float, float]] = (-1.0, 0.0)
    inline: ClassVar[bool] = True

    limit: Annotated[int, Ge(1), Option("length from which the penalty is full", unit="tokens")] = 2048
    buffer: Annotated[int, Ge(1), Option("length before the limit over which the penalty grows", unit="tokens")] = 512

    def __post_init__(self) -> None:
        if self.buffer > self.limit:
            raise ValueError(f"buffer must be at most limit ({self.limit}), not {self.buffer}")

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


@dataclass(frozen=True)
class Cosine(Verifier):
    """The cosine length reward (arXiv 2502.03373, section 4.2): the correct earn more if short, the wrong if long.

    For a response of n tokens, ``end + (start - end) (1 + cos(pi n / limit)) / 2``, from `start` at no token to `end`
    at the limit, with one pair of values for a correct response and another for a wrong one; `exceeded` from the limit
    on. The values are the paper's, whose limit was 14,336. It needs a verifier of answers before it in the recipe, and
    is not applicable if none had a score, or if the number of tokens is unknown.
    """

    range: ClassVar[tuple[float, float]] = (-10.0, 10.0)
    inline: ClassVar[bool] = True

    limit: Annotated[int, Ge(1), Option("length from which a response earns `exceeded`", unit="tokens")] = 2048
    correct: Annotated[tuple[Reward, Reward], Option("start and end for a correct response")] = (2.0, 1.0)
    wrong: Annotated[tuple[Reward, Reward], Option("start and end for a wrong response")] = (-10.0, 0.0)
    exceeded: Annotated[Reward, Option("for a response of `limit` tokens or more, right or wrong")] = -10.0

    def verify(self, claim: Claim) -> Verdict:
        tokens = _tokens(claim)
        if tokens is None:
            return Verdict.not_applicable("the number of tokens is unknown")
        if all(verdict.status == "scored" or verdict.score is None for verdict in claim.verdicts.values()):
            return Verdict.not_applicable("no verifier before it judged the answer")
        if tokens >= self.limit:
            return Verdict.scored(self.exceeded, f"{tokens} tokens, over the limit")
        start, end = self.correct if claim.is_correct else self.wrong
        score = end + (start - end) * (1.0 + math.cos(math.pi * tokens / self.limit)) / 2.0
        return Verdict.scored(score, f"{tokens} tokens, {'correct' if claim.is_correct else 'wrong'}")


def _tokens(claim: Claim) -> int | None:
    if claim.token_ids is not None:
        return len(claim.token_ids)
    return claim.trace.completion_tokens or None
