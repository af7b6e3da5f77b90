"""Numbers, compared exactly or within a stated tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import trunc
from typing import Annotated

from annotated_types import Interval

from openvlt import Claim, Option, Verdict
from openvlt_plugins.answers.comparison.policy import Digits, Tolerance
from openvlt_plugins.answers.comparison.shapes import labelled
from openvlt_plugins.answers.grammar import TooLarge, Unreadable
from openvlt_plugins.answers.grammar.tree import EXPRESSIONS, Node, Quantity, symbols
from openvlt_plugins.answers.reading import TieredVerifier, decide, read
from openvlt_plugins.answers.values.exact import rational


@dataclass(frozen=True)
class Number(TieredVerifier):
    """One number. Equal means exactly equal, unless the example states a precision or an option allows more.

    Accepts every spelling of a number that ``math`` accepts, with a label or a unit. Refuses lists, expressions with
    variables and words. With a precision of d decimals (the example's, else the option's) the answer is right if it
    is within half a unit of the last decimal of the gold. MathVista's rule (lupantech/MathVista, calculate_score.py)
    is the example's precision with ``truncate``.
    """

    precision: Annotated[
        int | None, Interval(ge=0, le=300), Option("decimals both sides are rounded to if the example states none")
    ] = None
    tolerance: Tolerance = 0.0
    digits: Digits = 6
    truncate: Annotated[bool, Option("compare integer golds with the integer part of the answer")] = False

    def decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        gold = _number(claim.example.answer)
        if gold is None:
            return Verdict.bad_gold(f"the gold {claim.example.answer[:80]!r} is not a number")
        if self.truncate and gold.denominator == 1:
            given = _number(answer)
            if given is not None:
                answer = str(trunc(given))
        stated = claim.example.precision
        policy = self.policy(
            claim,
            digits=self.digits,
            precision=self.precision if stated is None else stated,
            tolerance=self.tolerance,
        )
        return decide(answer, claim, policy, deep=deep, lowest=self.range[0])


def is_number(text: str) -> bool:
    """True if a text is one number, with or without a label or unit."""
    return _number(text) is not None


def _number(text: str) -> Fraction | None:
    """The value of a text that is one number; 1/3, which is not an integer either, for any irrational one."""
    try:
        node: Node = labelled(read(text)).value
        node = node.value if isinstance(node, Quantity) else node
        if not isinstance(node, EXPRESSIONS) or symbols(node):
            return None
        value = rational(node)
        return Fraction(1, 3) if value is None else value
    except (TooLarge, Unreadable):
        return None
