"""Exact rational values, by integer arithmetic within limits."""

from __future__ import annotations

from fractions import Fraction
from math import factorial, prod

from openvlt_plugins.answers.budget import spend
from openvlt_plugins.answers.grammar.limits import BITS, EXPONENT, FACTORIAL, TooLarge
from openvlt_plugins.answers.grammar.tree import Call, Node, Num

_SMALL = 256
"""bits of a number that one step is enough for"""


def rational(node: Node) -> Fraction | None:
    """The exact value of an expression of numbers; None if it is not rational or not a number at all.

    Raises:
        TooLarge: an intermediate number exceeds a limit.
    """
    if isinstance(node, Num):
        return node.value
    if not isinstance(node, Call):
        return None
    values = []
    for arg in node.args:
        value = rational(arg)
        if value is None:
            return None
        values.append(value)
    return _apply(node.op, values)


def _apply(op: str, values: list[Fraction]) -> Fraction | None:
    first, last = values[0], values[-1]
    match op:
        case "+":
            return bounded(sum(values, Fraction()))
        case "*":
            return bounded(prod(values, start=Fraction(1)))
        case "/":
            return bounded(first / last) if last else None
        case "neg":
            return -first
        case "%":
            return first / 100
        case "abs":
            return abs(first)
        case "!":
            return factorial_of(first)
        case "^":
            return power(first, last)
        case "root":
            return root(first, last) if last.denominator == 1 and 1 <= last <= 100 else None
    return None


def bounded(value: Fraction) -> Fraction:
    """The value, if its numerator and denominator are within the limit."""
    bits = max(value.numerator.bit_length(), value.denominator.bit_length())
    if bits > BITS:
        raise TooLarge(f"a number of more than {BITS} bits")
    if bits > _SMALL:
        spend(bits // _SMALL)
    return value


def power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """The power of a rational number, None if it is irrational or undefined."""
    if exponent.denominator != 1:
        found = root(base, Fraction(exponent.denominator)) if exponent.denominator <= 100 else None
        return None if found is None else power(found, Fraction(exponent.numerator))
    if base in {0, 1, -1}:
        return None if base == 0 and exponent <= 0 else base ** int(exponent % 2 or 2) if exponent else Fraction(1)
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) > EXPONENT or size * abs(exponent) > BITS:
        raise TooLarge("a power beyond the limits")
    return base ** int(exponent)


def root(value: Fraction, degree: Fraction) -> Fraction | None:
    """The exact real root, None if it is irrational."""
    n = int(degree)
    if value < 0:
        positive = root(-value, degree) if n % 2 else None
        return None if positive is None else -positive
    top, bottom = _integer_root(value.numerator, n), _integer_root(value.denominator, n)
    return None if top is None or bottom is None else Fraction(top, bottom)


def _integer_root(value: int, n: int) -> int | None:
    if n == 1 or value < 2:
        return value
    guess = 1 << -(-value.bit_length() // n)
    while True:
        better = ((n - 1) * guess + value // guess ** (n - 1)) // n
        if better >= guess:
            return guess if guess**n == value else None
        guess = better


def factorial_of(value: Fraction) -> Fraction | None:
    """The factorial, None if it is undefined."""
    if value.denominator != 1 or value < 0:
        return None
    if value > FACTORIAL:
        raise TooLarge(f"the factorial of more than {FACTORIAL}")
    return Fraction(factorial(int(value)))
