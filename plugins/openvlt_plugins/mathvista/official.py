"""MathVista's official scoring, as the repository lupantech/MathVista publishes it.

``evaluation/extract_answer.py`` extracts the answer, ``evaluation/calculate_score.py`` normalises it to the form of the
gold and compares strings. Their oddities are kept: an empty extraction is matched to the nearest choice and can be
correct, integers are truncated rather than rounded, a list is compared as text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from openvlt import Claim, Example, Option, Verdict, Verifier
from openvlt_plugins.mathvista.distance import levenshtein

_BRACKETED = re.compile(r"\(([a-zA-Z])\)")
_QUICK = re.compile(r'The answer is "(.*)"\.')


@dataclass(frozen=True)
class MathVistaOfficial(Verifier):
    """Extraction, normalisation and string equality of MathVista's published scripts.

    The extraction is the claim's extracted answer if it has one (from a result file, a judge, or the response's answer
    tag), else the result of the published steps that need no language model.
    """

    quick_extract: Annotated[bool, Option('also extract from: The answer is "...".')] = False
    ignore_empty: Annotated[bool, Option("an empty extraction of a multiple choice question is wrong")] = False

    inline: ClassVar[bool] = True

    def verify(self, claim: Claim) -> Verdict:
        example = claim.example
        extraction, tier = self._extraction(claim)
        predicted = normalise(extraction, example, ignore_empty=self.ignore_empty)
        reason = f"extracted {extraction!r}, read as {predicted!r}, gold {example.answer!r}"
        if not example.answer:
            verdict = Verdict.bad_gold("the question has no public answer")
        elif predicted == example.answer:
            verdict = Verdict.correct(reason, tier=tier)
        else:
            verdict = Verdict.incorrect(reason, tier=tier)
        return replace(verdict, detail={"prediction": predicted})

    def _extraction(self, claim: Claim) -> tuple[str, str]:
        """The extracted answer and the step that found it."""
        if claim.answer is not None:
            return claim.answer, "extracted"
        whole = whole_response(claim.response, claim.example)
        if whole is not None:
            return whole, "whole"
        if self.quick_extract and (found := _QUICK.search(claim.response)):
            return found.group(1), "quick"
        return "", "none"


def whole_response(response: str, example: Example) -> str | None:
    """The extraction in the cases where the script needs no language model: the response is only the answer."""
    if response == "" or response in example.choices:
        return response
    number = {"integer": int, "float": float}.get(example.answer_type or "")
    if number is None:
        return None
    try:
        return str(number(response))
    except ValueError:
        return None


def normalise(extraction: str, example: Example, *, ignore_empty: bool = False) -> str | None:
    """Convert an extraction to the form of the gold; None if that is impossible."""
    if example.choices:
        return _choice(extraction.strip(), example.choices, ignore_empty)
    try:
        if example.answer_type == "integer":
            return str(int(float(extraction)))
        if example.answer_type == "float":
            return str(round(float(extraction), _decimals(example)))
    except (ValueError, OverflowError):
        return None
    return extraction


def _decimals(example: Example) -> int:
    """Decimals to round to: the example's precision, else as many as the gold has."""
    return len(example.answer.partition(".")[2]) if example.precision is None else example.precision


def _choice(extraction: str, choices: Sequence[str], ignore_empty: bool) -> str | None:
    if ignore_empty and not extraction:
        return None
    if letter := _BRACKETED.search(extraction):
        extraction = letter.group(1).upper()
    index = ord(extraction) - ord("A") if len(extraction) == 1 else -1
    if 0 <= index < len(choices):
        return choices[index]
    return min(choices, key=lambda choice: levenshtein(extraction, choice))  # the first, if several are equally near
