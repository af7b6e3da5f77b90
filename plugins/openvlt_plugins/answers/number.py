"""Numbers, compared exactly or within a stated tolerance."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from openvlt import AnswerVerifier, Claim, Verdict
from openvlt_plugins.answers.wording import folded

_NUMBER = re.compile(
    r"([+\u2212-]?)\s*\$?\s*(\d{1,3}(?:,\d{3})+|\d{1,100})?(\.\d{0,100})?(?:\s*/\s*(\d{1,100}))?(?:\s*%|\s*\u00b0)?"
)


def read_number(text: str) -> Fraction | None:
    found = _NUMBER.fullmatch(folded(text))
    if not found or not (found.group(2) or (found.group(3) or ".") != "."):
        return None
    value = Fraction((found.group(2) or "0").replace(",", "") + (found.group(3) or ""))
    if found.group(4):
        if int(found.group(4)) == 0:
            return None
        value /= int(found.group(4))
    return -value if found.group(1) else value


@dataclass(frozen=True)
class Number(AnswerVerifier):
    """Numbers, compared exactly, or rounded to the example's precision."""

    def check(self, answer: str, claim: Claim) -> Verdict:
        gold = read_number(claim.example.answer)
        if gold is None:
            return Verdict.bad_gold(f"the gold {claim.example.answer!r} is no number")
        said = read_number(answer)
        if said is None:
            return Verdict.incorrect("is no number", tier="number")
        digits = claim.example.precision
        if said == gold or (digits is not None and round(said, digits) == round(gold, digits)):
            return Verdict.correct("the same number", tier="number")
        return Verdict.incorrect("another number", tier="number")

    quick = check
