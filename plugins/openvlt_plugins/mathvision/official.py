"""MathVision's official scoring (mathllm/MATH-V, ``evaluation/evaluate.py``), without running model text as code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from openvlt import Claim, Example, Format, Option, Verdict, Verifier, extract
from openvlt_plugins.mathvision.cleaning import LETTERS, model_answer
from openvlt_plugins.mathvision.numeric import number


@dataclass(frozen=True)
class MathVisionOfficial(Verifier):
    """Correct if the answer equals the gold, or the content of the option that the gold names.

    The published rules extract the answer from the whole response, or from its answer tag if it has one; the models
    that the script was written for did not use tags. Without a response, the claim's extracted answer is used as it is.
    """

    format: Annotated[Format, Option("has the name of the answer tag")] = Format()

    inline: ClassVar[bool] = True

    def verify(self, claim: Claim) -> Verdict:
        gold = str(claim.example.metadata.get("gold", claim.example.answer))
        if not gold:
            return Verdict.bad_gold("the question has no gold answer")
        answer = self._answer(claim)
        correct = equal(gold, answer) or equal(gold_content(gold, claim.example), answer)
        reason = f"answer {answer[:80]!r}, gold {gold!r}"
        return Verdict.correct(reason) if correct else Verdict.incorrect(reason)

    def _answer(self, claim: Claim) -> str:
        if not claim.response and claim.answer is not None:
            return claim.answer
        found = extract(claim.response, self.format)
        return model_answer(found.answer if found.rule == "tag" and found.answer else claim.response)


def gold_content(gold: str, example: Example) -> str:
    """The content of the option that a letter names; empty if there is none."""
    index = LETTERS.find(gold) if len(gold) == 1 else -1
    return example.choices[index] if 0 <= index < len(example.choices) else ""


def equal(gold: str, answer: str) -> bool:
    """Equal as text, as tuples element by element, or as numbers rounded to two decimals."""
    gold, answer = gold.lower(), answer.lower()
    if not gold.replace(" ", "") or not answer.replace(" ", ""):
        return False
    if gold.strip() == answer.strip():
        return True
    gold, answer = _rounded_elements(gold), _rounded_elements(answer)
    if gold == answer:
        return True
    left, right = number(gold), number(answer)
    return left is not None and right is not None and round(left, 2) == round(right, 2)


def _rounded_elements(text: str) -> str:
    """Round the numbers of a tuple or list to two decimals; any other text is unchanged."""
    parts = text[1:-1].split(",")
    if (text[0], text[-1]) not in (("(", ")"), ("[", "]")) or len(parts) < 2:
        return text
    rounded = []
    for part in parts:
        if "infty" in part or part in ("a", "-a"):
            rounded.append(part)
        elif (value := number(part)) is not None:
            rounded.append(str(round(value, 2)))
        else:
            return text
    return text[0] + ",".join(rounded) + text[-1]
