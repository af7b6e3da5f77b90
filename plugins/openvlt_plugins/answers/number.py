"""Numbers, compared exactly or within what is stated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import trunc
from typing import Annotated, ClassVar

from openvlt import AnswerVerifier, Claim, Option, Verdict
from openvlt_plugins.answers.comparison import Policy
from openvlt_plugins.answers.comparison.policy import Digits, Percent, RoundedGold, Tolerance, Units
from openvlt_plugins.answers.comparison.shapes import labelled
from openvlt_plugins.answers.grammar import TooLarge, Unreadable
from openvlt_plugins.answers.grammar.tree import EXPRESSIONS, Node, Quantity, symbols
from openvlt_plugins.answers.reading import LAST_TIER, decide, read
from openvlt_plugins.answers.values.exact import rational


@dataclass(frozen=True)
class Number(AnswerVerifier):
    """One number. Equal means exactly equal, unless the example states a precision or an option allows more.

    Accepts every spelling of a number that ``math`` accepts, with a label or a unit. Refuses lists, expressions with
    variables and words. With a precision of d decimals (the example's, else the option's) the answer is right if it
    lies within half a unit of that place of the gold. MathVista's rule (lupantech/MathVista, calculate_score.py) is
    the example's precision with ``truncate``.
    """

    version: ClassVar[str] = "2"
    inline: ClassVar[bool] = True
    context_free: ClassVar[bool] = True
    imports: ClassVar[tuple[str, ...]] = LAST_TIER

    units: Units = "convert"
    percent: Percent = "lenient"
    precision: Annotated[int | None, Option("decimals both sides are rounded to, where the example states none")] = None
    tolerance: Tolerance = 0.0
    digits: Digits = 6
    rounded_gold: RoundedGold = False
    truncate: Annotated[bool, Option("compare integer golds with the integer part of the answer")] = False

    def quick(self, answer: str, claim: Claim) -> Verdict | None:
        return self._decide(answer, claim, deep=False)

    def check(self, answer: str, claim: Claim) -> Verdict:
        verdict = self._decide(answer, claim, deep=True)
        return verdict or Verdict.incorrect("could not be shown to be equal", tier="symbolic")

    def _decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        gold = _number(claim.example.answer)
        if gold is None:
            return Verdict.bad_gold(f"the gold {claim.example.answer[:80]!r} is no number")
        if self.truncate and gold.denominator == 1:
            said = _number(answer)
            if said is not None:
                answer = str(trunc(said))
        return decide(answer, claim, self._policy(claim), deep=deep, lowest=self.range[0])

    def _policy(self, claim: Claim) -> Policy:
        stated = claim.example.precision
        return replace(
            Policy(units=self.units, percent=self.percent, digits=self.digits, rounded_gold=self.rounded_gold),
            precision=self.precision if stated is None else stated,
            tolerance=self.tolerance,
        )


def _number(text: str) -> Fraction | None:
    """The value of a text that is one number; 0 stands for a number that is not rational."""
    try:
        node: Node = labelled(read(text)).value
        node = node.value if isinstance(node, Quantity) else node
        if not isinstance(node, EXPRESSIONS) or symbols(node):
            return None
        value = rational(node)
        return Fraction(1, 3) if value is None else value
    except (TooLarge, Unreadable):
        return None
