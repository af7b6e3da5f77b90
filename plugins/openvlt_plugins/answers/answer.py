"""The default verifier: routes a claim to the one that fits its answer type."""

from __future__ import annotations

from dataclasses import dataclass

from openvlt import AnswerVerifier, Claim, Verdict
from openvlt_plugins.answers.choice import Choice, letters_of
from openvlt_plugins.answers.number import Number, read_number
from openvlt_plugins.answers.words import Text, YesNo, truth


@dataclass(frozen=True)
class Answer(AnswerVerifier):
    """Routes a claim by its answer type; an absent type is told from the gold."""

    def quick(self, answer: str, claim: Claim) -> Verdict | None:
        return self._route(claim).quick(answer, claim)

    def check(self, answer: str, claim: Claim) -> Verdict:
        return self._route(claim).check(answer, claim)

    def _route(self, claim: Claim) -> AnswerVerifier:
        example = claim.example
        match example.answer_type:
            case "choice":
                return Choice()
            case "yes_no":
                return YesNo()
            case "integer" | "float":
                return Number()
            case "text":
                return Text()
        if example.choices or letters_of(example.answer):
            return Choice()
        if truth(example.answer) is not None:
            return YesNo()
        return Number() if read_number(example.answer) is not None else Text()
