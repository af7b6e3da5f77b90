"""Number literals."""

from __future__ import annotations

from fractions import Fraction

from openvlt_plugins.answers.grammar import limits
from openvlt_plugins.answers.grammar.limits import TooLarge
from openvlt_plugins.answers.grammar.tree import Num


def number(text: str) -> Num:
    """The exact value of a decimal literal, scientific notation included."""
    mantissa, _, exponent = text.lower().partition("e")
    if exponent and abs(int(exponent)) > limits.DIGITS:
        raise TooLarge(f"a power of ten beyond {limits.DIGITS}")
    point = mantissa.find(".")
    decimals = None if point < 0 or point == len(mantissa) - 1 else len(mantissa) - point - 1
    return Num(Fraction(mantissa.rstrip(".")) * Fraction(10) ** int(exponent or 0), decimals)
