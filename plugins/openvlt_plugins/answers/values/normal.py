"""A normal form for expressions: a quotient of polynomials over atoms, with exact rational coefficients.

Atoms are variables, constants, roots of primes, and anything else by the text of its own normal form. Square roots of
primes are independent over the rationals and powers of a positive base are split by the terms of the exponent, so two
expressions with one normal form are equal; the converse need not hold.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from openvlt_plugins.answers.budget import spend
from openvlt_plugins.answers.grammar.limits import BITS, PRODUCTS, TERMS, TooLarge
from openvlt_plugins.answers.grammar.tree import Call, Node, Num, Sym
from openvlt_plugins.answers.values.exact import bounded, factorial_of, power

Mono: TypeAlias = tuple[tuple[str, Fraction], ...]
Poly: TypeAlias = dict[Mono, Fraction]

_MOST_FACTORS = 16
# Counts the products of terms in this thread's current comparison.
_WORK = threading.local()
_SMALL_PRIMES = 1_000


class Opaque(Exception):
    """The expression has no such normal form."""


@dataclass(frozen=True, slots=True)
class Quotient:
    """Numerator over denominator; a denominator of one term is folded into the numerator."""

    top: Poly
    bottom: Poly = field(default_factory=lambda: {(): Fraction(1)})

    @property
    def is_polynomial(self) -> bool:
        return self.bottom == {(): 1}

    @property
    def constant(self) -> Fraction | None:
        """The value, if it is a rational number."""
        if not self.is_polynomial or any(mono for mono in self.top):
            return None
        return self.top.get((), Fraction())


def same_value(one: Node, other: Node) -> bool:
    """True if the normal forms prove that the expressions are equal; False proves nothing."""
    start_work()
    try:
        a, b = normal(one), normal(other)
        return not _minus(_mul(a.top, b.bottom), _mul(b.top, a.bottom))
    except (Opaque, TooLarge):
        return False


def start_work() -> None:
    """Begin a comparison: reset this thread's budget of `PRODUCTS`."""
    _WORK.products = 0


def normal(node: Node) -> Quotient:
    """The normal form of an expression.

    Raises:
        Opaque: it has none.
        TooLarge: it exceeds a limit.
    """
    if isinstance(node, Num):
        return _number(node.value)
    if isinstance(node, Sym):
        if node.name == "oo":
            raise Opaque("infinity")
        return _atom(node.name)
    if not isinstance(node, Call):
        raise Opaque("not an expression")
    if node.op in {"pm", "mp"}:
        raise Opaque("two values")
    return _apply(node.op, [normal(arg) for arg in node.args])


def _apply(op: str, args: list[Quotient]) -> Quotient:
    first, last = args[0], args[-1]
    if op in {"+", "*"}:
        total = first
        for arg in args[1:]:
            total = _sum(total, arg) if op == "+" else _product(total, arg)
        return total
    match op:
        case "/":
            return _quotient(_mul(first.top, last.bottom), _mul(first.bottom, last.top))
        case "neg":
            return Quotient(_scaled(first.top, Fraction(-1)), first.bottom)
        case "%":
            return Quotient(_scaled(first.top, Fraction(1, 100)), first.bottom)
        case "deg":
            return _apply("*", [first, _atom("pi"), _number(Fraction(1, 180))])
        case "^":
            return _power(first, last)
        case "root":
            return _root(first, last)
    return _function(op, args)


def _function(op: str, args: list[Quotient]) -> Quotient:
    constant = args[0].constant
    if op == "abs" and constant is not None:
        return _number(abs(constant))
    if op == "!" and constant is not None:
        value = factorial_of(constant)
        if value is None:
            raise Opaque("no factorial")
        return _number(bounded(value))
    return _atom(f"{op}({','.join(_key(arg) for arg in args)})")


def _number(value: Fraction) -> Quotient:
    return Quotient({(): value} if value else {})


def _atom(name: str) -> Quotient:
    return Quotient({((name, Fraction(1)),): Fraction(1)})


def _key(value: Quotient) -> str:
    """The same text for the same normal form."""
    lead = value.bottom[max(value.bottom)]
    sides = (_scaled(value.top, 1 / lead), _scaled(value.bottom, 1 / lead))
    return "/".join(
        "+".join(
            f"{c.numerator:x}:{c.denominator:x}*{'.'.join(f'{a}^{e}' for a, e in mono)}"
            for mono, c in sorted(side.items())
        )
        for side in sides
    )


def _quotient(top: Poly, bottom: Poly) -> Quotient:
    if not bottom:
        raise Opaque("division by zero")
    if len(bottom) == 1:
        [(mono, coefficient)] = bottom.items()
        inverse = {tuple((atom, -exponent) for atom, exponent in mono): 1 / coefficient}
        return Quotient(_mul(top, inverse))
    return Quotient(top, bottom)


def _product(one: Quotient, other: Quotient) -> Quotient:
    return _quotient(_mul(one.top, other.top), _mul(one.bottom, other.bottom))


def _sum(one: Quotient, other: Quotient) -> Quotient:
    if one.bottom == other.bottom:
        return _quotient(_plus(one.top, other.top), one.bottom)
    top = _plus(_mul(one.top, other.bottom), _mul(other.top, one.bottom))
    return _quotient(top, _mul(one.bottom, other.bottom))


def _plus(one: Poly, other: Poly) -> Poly:
    total = dict(one)
    for mono, coefficient in other.items():
        total[mono] = bounded(total.get(mono, Fraction()) + coefficient)
        if not total[mono]:
            del total[mono]
    if len(total) > TERMS:
        raise TooLarge(f"more than {TERMS} terms")
    return total


def _minus(one: Poly, other: Poly) -> Poly:
    return _plus(one, _scaled(other, Fraction(-1)))


def _scaled(poly: Poly, factor: Fraction) -> Poly:
    return {mono: bounded(coefficient * factor) for mono, coefficient in poly.items()}


def _mul(one: Poly, other: Poly) -> Poly:
    _WORK.products = getattr(_WORK, "products", 0) + len(one) * len(other)
    spend(4 * len(one) * len(other))
    if _WORK.products > PRODUCTS:
        raise TooLarge(f"more than {PRODUCTS} products of terms")
    total: Poly = {}
    for left, a in one.items():
        for right, b in other.items():
            mono, factor = _times(left, right)
            total[mono] = bounded(total.get(mono, Fraction()) + a * b * factor)
    return _plus({mono: coefficient for mono, coefficient in total.items() if coefficient}, {})


def _times(left: Mono, right: Mono) -> tuple[Mono, Fraction]:
    """The product of two monomials; integer powers of primes and of i become part of the factor."""
    exponents = dict(left)
    for atom, exponent in right:
        exponents[atom] = exponents.get(atom, Fraction()) + exponent
    factor = Fraction(1)
    for atom in [*exponents]:
        exponent = exponents[atom]
        if atom.startswith("#"):
            whole = exponent.numerator // exponent.denominator
            factor *= power(Fraction(int(atom[1:])), Fraction(whole)) or 0
            exponents[atom] = exponent - whole
        elif atom == "i" and exponent.denominator == 1:
            factor *= (1, 1, -1, -1)[int(exponent) % 4]
            exponents[atom] = exponent % 2
    return tuple(sorted((atom, exponent) for atom, exponent in exponents.items() if exponent)), factor


def _power(base: Quotient, exponent: Quotient) -> Quotient:
    constant = exponent.constant
    if constant is None:
        return _symbolic_power(base, exponent)
    if constant.denominator == 1:
        return _whole_power(base, int(constant))
    return _fractional_power(base, constant)


def _whole_power(base: Quotient, n: int) -> Quotient:
    if n < 0:
        return _whole_power(_quotient(base.bottom, base.top), -n)
    if base.is_polynomial and len(base.top) == 1:
        [(mono, coefficient)] = base.top.items()
        raised = power(coefficient, Fraction(n))
        if raised is None:
            raise Opaque("zero to the zero")
        return Quotient(_mul({tuple((atom, e * n) for atom, e in mono): raised}, {(): Fraction(1)}))
    if n > _MOST_FACTORS or not base.top:
        raise Opaque("a high power of a sum")
    result = _number(Fraction(1))
    for _ in range(n):
        result = _quotient(_mul(result.top, base.top), _mul(result.bottom, base.bottom))
    return result


def _fractional_power(base: Quotient, exponent: Fraction) -> Quotient:
    """Expanded only where it has one value: a positive number times at most one atom, or times positive atoms."""
    if base.is_polynomial and len(base.top) == 1:
        [(mono, coefficient)] = base.top.items()
        positive = all(_is_positive(atom) for atom, _ in mono)
        if coefficient > 0 and (positive or (len(mono) == 1 and mono[0][1] == 1)):
            number = _rational_power(coefficient, exponent)
            raised: Poly = {tuple((atom, e * exponent) for atom, e in mono): Fraction(1)}
            return Quotient(_mul(raised, number))
        if coefficient < 0 and not mono and exponent.denominator == 2:
            unit = _mono_poly("i", Fraction(1))
            return _whole_power(Quotient(_mul(_rational_power(-coefficient, Fraction(1, 2)), unit)), exponent.numerator)
    return _whole_power(_atom(f"[{_key(base)}]^1/{exponent.denominator}"), exponent.numerator)


def _root(base: Quotient, degree: Quotient) -> Quotient:
    n = degree.constant
    if n is None or n == 0:
        raise Opaque("a root of no number")
    value = base.constant
    if value is not None and value < 0 and n.denominator == 1 and n % 2:
        return _apply("neg", [_fractional_power(_number(-value), 1 / n)])
    return _fractional_power(base, 1 / n) if n != 1 else base


def _rational_power(value: Fraction, exponent: Fraction) -> Poly:
    mono: dict[str, Fraction] = {}
    for number, sign in ((value.numerator, 1), (value.denominator, -1)):
        for prime, count in _factors(number).items():
            mono[f"#{prime}"] = mono.get(f"#{prime}", Fraction()) + sign * count * exponent
    return _mul({tuple(sorted(mono.items())): Fraction(1)}, {(): Fraction(1)})


def _factors(number: int) -> dict[int, int]:
    """Prime factors up to a small bound; the remaining cofactor counts as one factor."""
    found: dict[int, int] = {}
    if number.bit_length() > min(BITS, 512):
        raise Opaque("a root of a very large number")
    divisor = 2
    while divisor < _SMALL_PRIMES and divisor * divisor <= number:
        while number % divisor == 0:
            found[divisor] = found.get(divisor, 0) + 1
            number //= divisor
        divisor += 1
    if number > 1:
        found[number] = found.get(number, 0) + 1
    return found


def _symbolic_power(base: Quotient, exponent: Quotient) -> Quotient:
    """A positive base to a polynomial: one atom for each term of the exponent, so that equal powers coincide."""
    if not exponent.is_polynomial or not base.is_polynomial or len(base.top) != 1:
        return _atom(f"[{_key(base)}]^[{_key(exponent)}]")
    [(mono, coefficient)] = base.top.items()
    if coefficient <= 0 or not all(_is_positive(atom) for atom, _ in mono):
        return _atom(f"[{_key(base)}]^[{_key(exponent)}]")
    parts: dict[str, Fraction] = {f"#{p}": Fraction(n) for p, n in _factors(coefficient.numerator).items()}
    parts.update({f"#{p}": Fraction(-n) for p, n in _factors(coefficient.denominator).items()})
    parts.update(mono)
    unit: Poly = {(): Fraction(1)}
    result: Poly = {(): Fraction(1)}
    for atom, count in parts.items():
        for term, c in exponent.top.items():
            name = atom if not term else f"{atom.replace('#', '=')}^({'.'.join(f'{a}^{e}' for a, e in term)})"
            result = _mul(result, _mul(_mono_poly(name, c * count), unit))
    return Quotient(result)


def _mono_poly(atom: str, exponent: Fraction) -> Poly:
    return {((atom, exponent),): Fraction(1)}


def _is_positive(atom: str) -> bool:
    return atom in {"pi", "e"} or atom.startswith(("#", "="))
