"""Compares single values: numbers, quantities with units, algebraic expressions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from openvlt_plugins.answers.comparison.policy import Policy
from openvlt_plugins.answers.comparison.units import agree, conversion
from openvlt_plugins.answers.grammar.limits import DIGITS
from openvlt_plugins.answers.grammar.tree import (
    EXPRESSIONS,
    Call,
    Node,
    Num,
    Quantity,
    Relation,
    Sym,
    Unit,
    children,
    symbols,
)
from openvlt_plugins.answers.grammar.vocabulary import UNITS
from openvlt_plugins.answers.values.exact import rational
from openvlt_plugins.answers.values.normal import same_value
from openvlt_plugins.answers.values.probe import NO_VALUE, differ, value

_DEGREE: Unit = (("degree", 1),)
_RADIAN: Unit = (("radian", 1),)
_MEASUREMENTS = frozenset(UNITS.values()) - {"unit"} | {"degC", "degF"}
TIERS = ("text", "number", "structure", "algebra", "symbolic")


class Expressions:
    """Decides on single values by a policy; see `Comparison`."""

    def __init__(self, policy: Policy, *, deep: bool) -> None:
        self.policy = policy
        self.deep = deep
        self.tier = "text"

    def reached(self, tier: str) -> None:
        """Record that a tier was needed."""
        self.tier = max(self.tier, tier, key=TIERS.index)

    # Units.

    def quantities(self, gold: Node, given: Node) -> bool | None:
        """Compares values of which one or both have a unit."""
        self.reached("number")
        gold_unit, given_unit = (node.unit if isinstance(node, Quantity) else () for node in (gold, given))
        if _DEGREE in (gold_unit, given_unit):  # pi/4 without a unit is in radians
            gold_unit, given_unit = (
                unit or (_RADIAN if _has_pi(node) else ()) for node, unit in ((gold, gold_unit), (given, given_unit))
            )
        if not (gold_unit and given_unit):
            gold, given = _without_letter(gold, given_unit), _without_letter(given, gold_unit)
        gold, given = (node.value if isinstance(node, Quantity) else node for node in (gold, given))
        if self.policy.units == "ignore" or gold_unit == given_unit:
            return self.expressions(gold, given)
        if {gold_unit, given_unit} == {_DEGREE, _RADIAN} and self.policy.units != "require":
            pairs = (gold, gold_unit), (given, given_unit)
            return self.expressions(*(Call("deg", (value,)) if unit == _DEGREE else value for value, unit in pairs))
        if _is_percent(gold) or _is_percent(given):
            return False
        if not gold_unit and self.policy.nouns == "known" and not self._is_known(given_unit):
            return False
        if (agreed := agree(gold_unit, given_unit)) is not None:
            if not agreed or (self.policy.units == "require" and gold_unit):
                return False
            return self.expressions(gold, given)
        factor = conversion(given_unit, gold_unit)
        if factor is None or (self.policy.units == "require" and factor != 1):
            return False
        return self.expressions(gold, Call("*", (Num(factor), given)))

    def _is_known(self, unit: Unit) -> bool:
        """True for a unit of measurement, or a noun that the gold, its unit or the question has."""
        known = (name in _MEASUREMENTS or not self.policy.known.isdisjoint(name.split()) for name, _ in unit)
        return all(known)

    def exact(self, node: Node) -> Node:
        """A value followed by its approximation as the value; a variable that approximates a number as equal to it.

        An approximation that is not one (5 = about 6) stays a relation, which is equal to no value.
        """
        if not isinstance(node, Relation) or "~" not in node.ops:
            return node
        *front, last = node.sides
        ops = node.ops[:-1]
        if node.ops[-1] == "~" and not symbols(front[-1]):
            known, about = (_real(side.value if isinstance(side, Quantity) else side) for side in (front[-1], last))
            decimal = last.value if isinstance(last, Quantity) else last
            if known is None or about is None or not isinstance(decimal, Num):
                return node
            close = abs(known - about) < _last_place(decimal)
            rest = Relation(ops, tuple(front)) if ops else front[0]
            return self.exact(rest) if close else node
        return Relation(tuple("=" if op == "~" else op for op in node.ops), node.sides)

    # Values.

    def expressions(self, gold: Node, given: Node) -> bool | None:
        """Compares two expressions, by the cheapest tier first."""
        if not (isinstance(gold, EXPRESSIONS) and isinstance(given, EXPRESSIONS)):
            return False
        self.reached("number")
        if self.policy.percent != "strict" and _is_percent(gold) != _is_percent(given) and not _is_share(gold):
            bare = [node.args[0] if isinstance(node, Call) and node.op == "%" else node for node in (gold, given)]
            small = self.policy.percent == "whole" and any(map(_is_share, bare))
            if not small and self._values(bare[0], bare[1]):
                return True
        return self._values(gold, given)

    def _values(self, gold: Node, given: Node) -> bool | None:
        exact_gold, exact_given = rational(gold), rational(given)
        if exact_gold is not None and exact_given is not None:
            if self.policy.reduced and not _is_reduced(given):
                return False
            return exact_gold == exact_given or self._close(gold, given, exact_gold, exact_given)
        if gold == given or self._rounded(gold, given):
            return True
        if differ(gold, given):
            return False
        self.reached("algebra")
        if same_value(gold, given):
            return True
        if not self.deep:
            return None
        self.reached("symbolic")
        from openvlt_plugins.answers.values.digits import equal

        return equal(gold, given)

    def symbolic_ratio(self, one: Node, other: Node, *, signed: bool) -> bool:
        """Whether the quotient of two expressions is a constant (a positive one, if `signed`), by the last tier."""
        self.reached("symbolic")
        from openvlt_plugins.answers.values.digits import constant_ratio

        return constant_ratio(one, other, signed=signed)

    def _close(self, gold: Node, given: Node, exact_gold: Fraction, exact_given: Fraction) -> bool:
        """Whether two unequal rational numbers are equal by the policy's margin, precision, tolerance or digits."""
        difference = abs(exact_given - exact_gold)
        if self.policy.margin and difference <= _decimal(self.policy.margin):
            return True
        if self.policy.precision is not None:
            decimals = max(0, min(self.policy.precision, DIGITS))
            rounded = _rounded_to(exact_gold, decimals)
            return rounded != 0 and _rounded_to(exact_given, decimals) == rounded
        if self.policy.tolerance and difference <= Fraction(self.policy.tolerance) * abs(exact_gold):
            return True
        if isinstance(gold, Num) and (gold.decimals is not None or gold.value.denominator == 1):
            exact = not (isinstance(given, Num) and given.decimals is not None)
            return self.policy.rounded_gold and exact and gold.decimals is not None and _rounds_to(exact_given, gold)
        return self._has_digits(given) and difference < _last_place(given)

    def _rounded(self, gold: Node, given: Node) -> bool:
        """Whether a decimal in the answer (or, if the policy allows it, in the gold) approximates an irrational."""
        if self.policy.margin and isinstance(gold, Num) != isinstance(given, Num):
            values = (_real(gold), _real(given))
            if None not in values and abs(values[0] - values[1]) <= self.policy.margin:  # type: ignore[operator]
                return True
        if isinstance(given, Num) and self._has_digits(given):
            exact = _real(gold)
            # A decimal longer than double precision is compared as far as that goes.
            return exact is not None and abs(exact - given.value) < max(_last_place(given), abs(exact) / 10**14)
        precision = self.policy.precision
        if isinstance(gold, Num) and (precision is not None or (self.policy.rounded_gold and gold.decimals)):
            decimals = gold.decimals or 0 if precision is None else max(0, min(precision, DIGITS))
            exact = _real(given)
            return exact is not None and _rounded_to(exact, decimals) == _rounded_to(gold.value, decimals) != 0
        return False

    def _has_digits(self, given: Node) -> bool:
        """True if a decimal has enough significant digits to count as an approximation of an exact value."""
        if not self.policy.digits or not isinstance(given, Num) or not given.decimals or not given.value:
            return False
        digits = str(abs(given.value.numerator) * 10**given.decimals // given.value.denominator)
        return len(digits) >= self.policy.digits


def _decimal(margin: float) -> Fraction:
    """The margin as it is written, since 0.1 is a little more than a tenth in binary."""
    return Fraction(str(margin))


def _without_letter(node: Node, unit: Unit) -> Node:
    """A number times a letter as a quantity, where the other side has the unit of that letter: 20N for 20 N."""
    match node:
        case Call(op="*", args=(Num() as number, Sym(name=name))) if unit == ((UNITS.get(name, ""), 1),):
            return number
    return node


def _has_pi(node: Node) -> bool:
    return node == Sym("pi") or any(map(_has_pi, children(node)))


def _is_percent(node: Node) -> bool:
    return isinstance(node, Call) and node.op == "%"


def _is_share(node: Node) -> bool:
    """True for a plain number of at most one, which a percent sign would change to another number."""
    value = None if _is_percent(node) else rational(node)
    return value is not None and abs(value) <= 1


def _is_reduced(node: Node) -> bool:
    """True unless the expression is a fraction of integers not in lowest terms, or an integer written as a fraction."""
    if isinstance(node, Call) and node.op == "neg":
        return _is_reduced(node.args[0])
    if not (isinstance(node, Call) and node.op == "/"):
        return True
    top, bottom = (rational(arg) for arg in node.args)
    return top is None or bottom is None or bottom == Fraction(top, bottom).denominator


def _rounded_to(number: Fraction, decimals: int) -> Fraction:
    """The number rounded to decimals, a half away from zero: what rounds to 3 is in [2.5, 3.5), to -3 in (-3.5, -2.5].

    Numbers that round to zero are told apart by their digits alone, or any small answer would do for a small gold.
    """
    scaled = abs(number) * 10**decimals
    return Fraction(floor(scaled + Fraction(1, 2)) * (1 if number > 0 else -1), 10**decimals)


def _rounds_to(number: Fraction, gold: Num) -> bool:
    return _rounded_to(number, gold.decimals or 0) == gold.value


def _last_place(given: Node) -> Fraction:
    assert isinstance(given, Num)
    return Fraction(1, 10 ** (given.decimals or 0))


def _real(node: Node) -> Fraction | None:
    """The value of an expression without variables, in double precision; None if it has none or is not real."""
    try:
        found = value(node, {})
    except NO_VALUE:
        return None
    return Fraction(found.at.real) if abs(found.at.imag) <= 1e3 * found.error else None
