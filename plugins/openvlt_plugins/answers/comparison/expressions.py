"""Compares single values: numbers, quantities with units, algebraic expressions."""

from __future__ import annotations

from fractions import Fraction

from openvlt_plugins.answers.comparison.policy import Policy
from openvlt_plugins.answers.comparison.units import Unit, agree, conversion
from openvlt_plugins.answers.grammar.limits import DIGITS
from openvlt_plugins.answers.grammar.tree import EXPRESSIONS, Call, Node, Num, Quantity
from openvlt_plugins.answers.values.exact import rational
from openvlt_plugins.answers.values.normal import same_value
from openvlt_plugins.answers.values.probe import NO_VALUE, differ, value

_DEGREE: Unit = (("degree", 1),)
_RADIAN: Unit = (("radian", 1),)
TIERS = ("text", "number", "structure", "algebra", "symbolic")


class Expressions:
    """Decides on single values by a policy; see `Comparison`."""

    def __init__(self, policy: Policy, *, deep: bool) -> None:
        self.policy = policy
        self.deep = deep
        self.tier = "text"

    def reached(self, tier: str) -> None:
        """Note that a tier was needed."""
        self.tier = max(self.tier, tier, key=TIERS.index)

    # Units.

    def quantities(self, gold: Node, said: Node) -> bool | None:
        """Values with units on one side or on both."""
        self.reached("number")
        gold_unit, said_unit = (node.unit if isinstance(node, Quantity) else () for node in (gold, said))
        g, s = (node.value if isinstance(node, Quantity) else node for node in (gold, said))
        if self.policy.units == "ignore" or gold_unit == said_unit:
            return self.expressions(g, s)
        if {gold_unit, said_unit} == {_DEGREE, _RADIAN} and self.policy.units != "require":
            return self.expressions(
                *(Call("deg", (v,)) if u == _DEGREE else v for v, u in ((g, gold_unit), (s, said_unit)))
            )
        if _is_percent(g) or _is_percent(s):
            return False
        if (agreed := agree(gold_unit, said_unit)) is not None:
            if not agreed or (self.policy.units == "require" and gold_unit):
                return False
            return self.expressions(g, s)
        factor = conversion(said_unit, gold_unit)
        if factor is None or (self.policy.units == "require" and factor != 1):
            return False
        return self.expressions(g, Call("*", (Num(factor), s)))

    # Values.

    def expressions(self, gold: Node, said: Node) -> bool | None:
        """Two expressions, cheapest tier first."""
        if not (isinstance(gold, EXPRESSIONS) and isinstance(said, EXPRESSIONS)):
            return False
        self.reached("number")
        if self.policy.percent == "lenient" and _is_percent(gold) != _is_percent(said) and not _is_share(gold):
            bare = [node.args[0] if isinstance(node, Call) and node.op == "%" else node for node in (gold, said)]
            if self._values(bare[0], bare[1]):
                return True
        return self._values(gold, said)

    def _values(self, gold: Node, said: Node) -> bool | None:
        g, s = rational(gold), rational(said)
        if g is not None and s is not None:
            if self.policy.reduced and not _is_reduced(said):
                return False
            return g == s or self._close(gold, said, g, s)
        if gold == said:
            return True
        if self._rounded(gold, said, s):
            return True
        if differ(gold, said):
            return False
        self.reached("algebra")
        if same_value(gold, said):
            return True
        if not self.deep:
            return None
        self.reached("symbolic")
        from openvlt_plugins.answers.values.digits import equal

        return equal(gold, said)

    def symbolic_ratio(self, one: Node, other: Node, *, signed: bool) -> bool:
        """Whether the quotient of two expressions is a constant (a positive one, if `signed`), by the last tier."""
        self.reached("symbolic")
        from openvlt_plugins.answers.values.digits import constant_ratio

        return constant_ratio(one, other, signed=signed)

    def _close(self, gold: Node, said: Node, g: Fraction, s: Fraction) -> bool:
        """Whether two unequal rational numbers are equal by the policy's precision, tolerance or digits."""
        if self.policy.precision is not None:
            places = max(0, min(self.policy.precision, DIGITS))
            return abs(s - _rounded_to(g, places)) <= Fraction(1, 2 * 10**places)
        if self.policy.tolerance and abs(s - g) <= Fraction(self.policy.tolerance) * abs(g):
            return True
        if isinstance(gold, Num):
            exact = not (isinstance(said, Num) and said.decimals is not None)
            return self.policy.rounded_gold and exact and gold.decimals is not None and _rounds_to(s, gold)
        return self._has_digits(said) and abs(g - s) < _last_place(said)

    def _rounded(self, gold: Node, said: Node, s: Fraction | None) -> bool:
        """Whether a decimal stands for an irrational value, in the response or, if the policy says so, in the gold."""
        if isinstance(said, Num) and s is not None and self._has_digits(said):
            exact = _real(gold)
            return exact is not None and abs(exact - s) < _last_place(said)
        precision = self.policy.precision
        if isinstance(gold, Num) and (precision is not None or (self.policy.rounded_gold and gold.decimals)):
            places = gold.decimals or 0 if precision is None else max(0, min(precision, DIGITS))
            exact = _real(said)
            return exact is not None and abs(exact - gold.value) <= Fraction(1, 2 * 10**places)
        return False

    def _has_digits(self, said: Node) -> bool:
        """True if a decimal is written with enough significant digits to stand for an exact value."""
        if not self.policy.digits or not isinstance(said, Num) or not said.decimals or not said.value:
            return False
        digits = str(abs(said.value.numerator) * 10**said.decimals // said.value.denominator)
        return len(digits) >= self.policy.digits


def _is_percent(node: Node) -> bool:
    return isinstance(node, Call) and node.op == "%"


def _is_share(node: Node) -> bool:
    """True for a plain number up to one: a percent sign behind it makes another number."""
    value = None if _is_percent(node) else rational(node)
    return value is not None and abs(value) <= 1


def _is_reduced(node: Node) -> bool:
    """True unless the expression is a fraction of integers that can be cancelled, or a whole number as a fraction."""
    if isinstance(node, Call) and node.op == "neg":
        return _is_reduced(node.args[0])
    if not (isinstance(node, Call) and node.op == "/"):
        return True
    top, bottom = (rational(arg) for arg in node.args)
    return top is None or bottom is None or bottom == Fraction(top, bottom).denominator


def _rounded_to(number: Fraction, places: int) -> Fraction:
    return Fraction(round(number * 10**places), 10**places)


def _rounds_to(number: Fraction, gold: Num) -> bool:
    return abs(number - gold.value) <= Fraction(1, 2 * 10 ** (gold.decimals or 0))


def _last_place(said: Node) -> Fraction:
    assert isinstance(said, Num)
    return Fraction(1, 10 ** (said.decimals or 0))


def _real(node: Node) -> Fraction | None:
    """The value of an expression without variables, good to double precision; None if it has none or is not real."""
    try:
        found = value(node, {})
    except NO_VALUE:
        return None
    return Fraction(found.at.real) if abs(found.at.imag) <= 1e3 * found.error else None


__all__ = ["Expressions", "Unit"]
