"""Mathematics: from plain numbers to algebraic equivalence."""

from __future__ import annotations

from dataclasses import dataclass

from openvlt import Claim, Verdict
from openvlt_plugins.answers.comparison.policy import Braces, Brackets, Digits, Order, Reduced
from openvlt_plugins.answers.reading import TieredVerifier, decide


@dataclass(frozen=True)
class Math(TieredVerifier):
    r"""Mathematics: an answer is right if it is equal to the gold, however it is written.

    Accepts integers, decimals, fractions, mixed numbers (``1 3/4``), percent, thousands (``1,000``, ``1\,000``),
    scientific notation, degrees, currency, radicals, constants, factorials, functions; sets without order, tuples,
    intervals, unions, matrices, ratios; labels (``x = 2``, ``Area = 15`` for ``2``, ``15``); equations up to a factor;
    inequalities and their intervals; algebraic equivalence; words. LaTeX, Unicode and plain spellings are equal.

    Refuses another value, however close, another unit (5 cm is never 5 m), another variable (``y = 2`` for ``x = 2``),
    another order of a tuple, the open interval for the closed one, and several answers where there is one. Words are
    never read as products of variables. Numbers, lengths and depths beyond the limits of the grammar are refused.
    """

    order: Order = "fixed"
    braces: Braces = "free"
    brackets: Brackets = "strict"
    digits: Digits = 6
    reduced: Reduced = False

    def decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        policy = self.policy(
            claim,
            order=self.order,
            braces=self.braces,
            brackets=self.brackets,
            digits=self.digits,
            reduced=self.reduced,
        )
        return decide(answer, claim, policy, deep=deep, lowest=self.range[0])
