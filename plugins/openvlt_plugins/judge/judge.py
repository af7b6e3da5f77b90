"""A judge as verifier and as filter of traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval

from openvlt import AskingTraceFilter, AskingVerifier, Claim, Completion, Drop, Message, Option, Verdict
from openvlt_plugins.judge.rubric import Rubric

_SHOWN = 300
"""Characters of a judge's reply, its last ones, that are the reason of its verdict."""


@dataclass(frozen=True)
class Judge(Rubric, AskingVerifier):
    """Asks a model whether a response meets a rubric; the last line of its reply decides.

    With ``scale: yes-no`` and the gold shown, the verdicts are correct and incorrect; without the gold they are the
    scores 1 and 0, since a rubric need not be about the answer. ``scale: unit`` gives scores from 0 to 1. A response
    that is nothing but thinking, or is over `longest`, scores 0 without being asked about. A reply that is cut or has
    another last line gives no score.
    """

    def messages(self, claim: Claim) -> list[Message] | Verdict:
        response = self.response(claim)
        if not response:
            return Verdict.unparsed("there is nothing but thinking")
        if len(response) > self.longest:
            return Verdict.unparsed(f"the response is over {self.longest:,} characters")
        if self.gold == "shown" and not claim.example.answer.strip():
            return Verdict.bad_gold("there is no gold answer to compare with")
        return self.prompt(claim)

    def parse(self, completion: Completion, claim: Claim) -> Verdict:
        score, reason = self.score(completion), " ".join(completion.text.split())[-_SHOWN:]
        if self.scale == "unit" or self.gold == "hidden":
            return Verdict.scored(score, reason)
        return (Verdict.correct if score else Verdict.incorrect)(reason, tier="judge")


@dataclass(frozen=True)
class JudgeTraces(Rubric, AskingTraceFilter):
    """Asks a model about each trace, thinking included, and drops those that score below `least`."""

    gold: Annotated[Literal["shown", "hidden"], Option("whether the judge sees the gold answer")] = "hidden"
    thinking: Annotated[Literal["shown", "hidden"], Option("whether the judge sees the thinking")] = "shown"
    least: Annotated[float, Interval(ge=0, le=1), Option("least score of a trace that is kept")] = 0.5

    def messages(self, claim: Claim) -> list[Message] | Drop:
        if len(self.response(claim)) > self.longest:
            return Drop(f"over {self.longest:,} characters")
        return self.prompt(claim)

    def parse(self, completion: Completion, claim: Claim) -> Drop | None:
        return None if self.score(completion) >= self.least else Drop("the judge refuses every trace")
