"""Values at points, with a running error bound: in double precision, a cheap proof that two expressions differ."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from openvlt_plugins.answers.budget import spend
from openvlt_plugins.answers.grammar.limits import FACTORIAL, MAGNITUDE
from openvlt_plugins.answers.grammar.tree import Call, Node, Num, Sym, symbols

# Irregular points on both sides of zero; each variable has its own.
_POINTS = (0.7390851, 2.2360841, -1.3247179, 3.3598857, -0.5671433, 1.9021605, -2.6854520, 0.2614972, 5.3160141)
_ROUNDS = 4
_PLAIN = frozenset({"sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "log"})
_RECIPROCAL = {"cot": "tan", "sec": "cos", "csc": "sin"}

Number = Any
"""A number of an `Arithmetic`: a complex, or one of mpmath's."""
Point = Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How numbers are represented.

    Attributes:
        number: converts a fraction.
        module: its functions and constants: ``cmath``, or a context of mpmath.
        eps: relative error of an operation.
        least: smaller numbers are unreliable.
    """

    number: Callable[[Fraction], Number]
    module: Any
    eps: Number
    least: float


_GAMMA_BITS = 1000
"""Precision from which the gamma function, which factorials of other numbers than integers are, takes seconds."""
DOUBLE = Arithmetic(lambda value: complex(float(value)), cmath, 2.3e-16, 1e-300)


class Value(NamedTuple):
    """A number and the bound of its error."""

    at: Number
    error: Number


class Undefined(Exception):
    """The expression has no finite value at the point, or none that this module can compute."""


NO_VALUE = (Undefined, OverflowError, ZeroDivisionError, ValueError)
"""The errors `value` raises if there is none."""


def points(*nodes: Node) -> list[dict[str, Number]]:
    """The points to evaluate in double precision; a single one if there are no variables."""
    names = sorted(frozenset().union(*(symbols(node) for node in nodes)))
    rounds = _ROUNDS if names else 1
    return [
        {name: complex(_POINTS[(index + 2 * step) % len(_POINTS)] + 0.013 * index) for index, name in enumerate(names)}
        for step in range(rounds)
    ]


def differ(one: Node, other: Node) -> bool:
    """True if the expressions are proven to differ at some point where both are real."""
    return any(are_apart(a, b, DOUBLE.least) for a, b in pairs(one, other, points(one, other)))


def pairs(
    one: Node, other: Node, at: Iterable[Point], arithmetic: Arithmetic = DOUBLE
) -> Iterator[tuple[Value, Value]]:
    """The values of both expressions at the points where both have one; with variables, only where both are real."""
    for point in at:
        try:
            a, b = value(one, point, arithmetic), value(other, point, arithmetic)
        except NO_VALUE:
            continue
        if not point or (_is_real(a) and _is_real(b)):
            yield a, b


def are_apart(a: Value, b: Value, least: float = 0.0) -> bool:
    """True if the two values are proven to differ by more than `least`."""
    return bool(abs(a.at - b.at) > 1000 * (a.error + b.error) + least)


def _is_real(found: Value) -> bool:
    return bool(abs(found.at.imag) <= found.error * 1e3)


def value(node: Node, point: Point, arithmetic: Arithmetic = DOUBLE) -> Value:
    """The value of an expression at a point.

    Raises:
        Undefined, OverflowError, ZeroDivisionError, ValueError: it has none that this module can compute.
    """
    spend()
    if isinstance(node, Num):
        number = arithmetic.number(node.value)
        return Value(number, abs(number) * arithmetic.eps)
    if isinstance(node, Sym):
        known = point.get(node.name)
        if known is None:
            known = _constant(node.name, arithmetic)
        return Value(known, abs(known) * arithmetic.eps)
    if not isinstance(node, Call):
        raise Undefined("not an expression")
    found = _apply(node.op, [value(arg, point, arithmetic) for arg in node.args], arithmetic)
    if not (arithmetic.module.isfinite(found.at) and found.error < 1e-3 * abs(found.at) + 1e-9):
        raise Undefined("not accurate")
    return found


def _constant(name: str, arithmetic: Arithmetic) -> Number:
    if name in {"pi", "e"}:
        return +getattr(arithmetic.module, name)
    if name == "i":
        return 1j
    raise Undefined(name)


def _apply(op: str, args: list[Value], arithmetic: Arithmetic) -> Value:
    first, last, eps = args[0], args[-1], arithmetic.eps
    match op:
        case "+":
            total = sum(arg.at for arg in args)
            return Value(total, sum(arg.error for arg in args) + eps * max(abs(arg.at) for arg in args))
        case "*":
            product = Value(1, 0.0)
            for arg in args:
                at = product.at * arg.at
                error = abs(product.at) * arg.error + abs(arg.at) * product.error + eps * abs(at)
                product = Value(at, error)
            return product
        case "/":
            at = first.at / last.at
            return Value(at, (first.error + abs(at) * last.error) / abs(last.at) + eps * abs(at))
        case "neg":
            return Value(-first.at, first.error)
        case "%":
            return Value(first.at / 100, first.error / 100)
        case "deg":
            return Value(first.at * arithmetic.module.pi / 180, first.error * 0.02)
        case "^" | "root":
            return _power(op, first, last, arithmetic)
    function = _function(op, first, arithmetic.module)
    at = function(first.at)
    slope = abs(function(first.at + first.error + arithmetic.least) - at)
    return Value(at, slope + 4 * eps * (abs(at) + abs(first.at)))


def _power(op: str, base: Value, exponent: Value, arithmetic: Arithmetic) -> Value:
    if op == "root":
        odd = exponent.at.real % 2 == 1
        if odd and abs(base.at.imag) <= base.error and base.at.real < 0:
            positive = _power(op, Value(-base.at, base.error), exponent, arithmetic)
            return Value(-positive.at, positive.error)
        exponent = Value(1 / exponent.at, 0.0)
    logarithm = abs(arithmetic.module.log(base.at)) if base.at else 0
    if abs(exponent.at) * logarithm > MAGNITUDE:
        raise Undefined("a power beyond the limit")
    if base.at == 0 and exponent.at.real <= 0:
        raise Undefined("no power of zero")
    at = base.at**exponent.at
    if base.at == 0:
        return Value(at, base.error)
    relative = abs(exponent.at) * base.error / abs(base.at) + logarithm * exponent.error
    return Value(at, abs(at) * (relative + 8 * arithmetic.eps * (1 + abs(exponent.at))))


def _function(op: str, argument: Value, module: Any) -> Callable[[Number], Number]:
    if op in _PLAIN:
        return getattr(module, op)  # type: ignore[no-any-return]
    if op in _RECIPROCAL:
        inverse = getattr(module, _RECIPROCAL[op])
        return lambda z: 1 / inverse(z)
    if op == "abs":
        return lambda z: abs(z) + 0j
    if op == "!" and hasattr(module, "factorial") and abs(argument.at) < FACTORIAL and module.prec < _GAMMA_BITS:
        return module.factorial  # type: ignore[no-any-return]
    raise Undefined(op)
