"""MathVision's official scoring (mathllm/MATH-V, ``evaluation/evaluate.py``), without running model text as code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from openvlt import Claim, Example, Format, Option, Verdict, Verifier, extract
from openvlt_plugins.mathvision.cleaning import LETTERS, model_answer
from openvlt_plugins.mathvision.numeric import number


@dataclass(frozen=True)
class MathVisionOfficial(Verifier):
    """Right if the answer equals the gold, or the content of the option the gold names.

    The answer is found in the whole response by the published rules; where the response has an answer tag, which no
    model the script was written for ever used, they are applied to what the tag holds. Without a response, an answer
    that was extracted elsewhere is taken as it is.
    """

    format: Annotated[Format, Option("names the answer tag")] = Format()

    inline: ClassVar[bool] = True

    def verify(self, claim: Claim) -> Verdict:
        gold = str(claim.example.metadata.get("gold", claim.example.answer))
        if not gold:
            return Verdict.bad_gold("the question has no gold answer")
        answer = self._answer(claim)
        right = equal(gold, answer) or equal(gold_content(gold, claim.example), answer)
        reason = f"answer {answer[:80]!r}, gold {gold!r}"
        return Verdict.correct(reason) if right else Verdict.incorrect(reason)

    def _answer(self, claim: Claim) -> str:
        if not claim.response and claim.answer is not None:
            return claim.answer
        found = extract(claim.response, self.format)
        return model_answer(found.answer if found.rule == "tag" and found.answer else claim.response)


def gold_content(gold: str, example: Example) -> str:
    """The content of the option a letter names; empty where there is none."""
    place = LETTERS.find(gold) if len(gold) == 1 else -1
    return example.choices[place] if 0 <= place < len(example.choices) else ""


def equal(gold: str, answer: str) -> bool:
    """Equal as text, as tuples element by element, or as numbers of two decimals."""
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
    """Round the numbers of a tuple or list to two decimals; leave anything else as it is."""
    parts = text[1:-1].split(",")
    if (text[0], text[-1]) not in (("(", ")"), ("[", "]")) or len(parts) < 2:
        return text
    rounded = []
    for part in parts:
        value = None if "infty" in part or part in ("a", "-a") else number(part)
        if value is None and not ("infty" in part or part in ("a", "-a")):
            return text
        rounded.append(part if value is None else str(round(value, 2)))
    return text[0] + ",".join(rounded) + text[-1]
