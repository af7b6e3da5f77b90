"""ChartQA's relaxed accuracy."""

from __future__ import annotations

from dataclasses import dataclass

from openvlt import Claim, Verdict
from openvlt_plugins.answers.comparison.policy import Tolerance
from openvlt_plugins.answers.number import Number, is_number
from openvlt_plugins.answers.reading import TieredVerifier
from openvlt_plugins.answers.words import Text


@dataclass(frozen=True)
class Relaxed(TieredVerifier):
    """Relaxed accuracy (arXiv 2203.10244): numbers may be off by 5 % of the gold, texts by nothing.

    A gold that is a number, with or without a unit, is compared as by ``number``, any other as by ``text``. A year is a
    number: 2008 accepts 1950, so give rows with years another answer type.
    """

    tolerance: Tolerance = 0.05

    def decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        if is_number(claim.example.answer):
            return Number(**self.shared, tolerance=self.tolerance).decide(answer, claim, deep=deep)
        return Text().quick(answer, claim)
