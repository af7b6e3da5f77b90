"""Values at points, in double precision with a running error bound: cheap proof that two expressions differ."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Mapping
from typing import NamedTuple

from openvlt_plugins.answers.grammar.tree import Call, Node, Num, Sym, symbols

_EPS = 2.3e-16
_CONSTANTS: dict[str, complex] = {"pi": cmath.pi, "e": cmath.e, "i": 1j}
# Irregular points on both sides of zero; each variable takes its own of them.
_POINTS = (0.7390851, 2.2360841, -1.3247179, 3.3598857, -0.5671433, 1.9021605, -2.6854520, 0.2614972, 5.3160141)
_ROUNDS = 4


class Value(NamedTuple):
    """A number and how far off it may be."""

    at: complex
    error: float


class Undefined(Exception):
    """The expression has no finite value there, or this module does not know how to find it."""


def points(*nodes: Node) -> list[dict[str, complex]]:
    """The points to look at: one if there are no variables."""
    names = sorted(frozenset().union(*(symbols(node) for node in nodes)))
    rounds = _ROUNDS if names else 1
    return [
        {name: complex(_POINTS[(index + 2 * turn) % len(_POINTS)] + 0.013 * index) for index, name in enumerate(names)}
        for turn in range(rounds)
    ]


def differ(one: Node, other: Node) -> bool:
    """True if the expressions certainly have different values at some point where both are real."""
    for point in points(one, other):
        try:
            a, b = value(one, point), value(other, point)
        except (Undefined, OverflowError, ZeroDivisionError, ValueError):
            continue
        real = abs(a.at.imag) <= a.error * 1e3 and abs(b.at.imag) <= b.error * 1e3
        if (real or not point) and abs(a.at - b.at) > 1e3 * (a.error + b.error) + 1e-300:
            return True
    return False


def value(node: Node, point: Mapping[str, complex]) -> Value:
    """The value of an expression at a point.

    Raises:
        Undefined, OverflowError, ZeroDivisionError, ValueError: it has none that this module can find.
    """
    if isinstance(node, Num):
        number = complex(float(node.value))
        return Value(number, abs(number) * _EPS)
    if isinstance(node, Sym):
        known = point.get(node.name, _CONSTANTS.get(node.name))
        if known is None:
            raise Undefined(node.name)
        return Value(known, abs(known) * _EPS)
    if not isinstance(node, Call):
        raise Undefined("not an expression")
    return _checked(_apply(node.op, [value(arg, point) for arg in node.args]))


def _checked(found: Value) -> Value:
    if not (cmath.isfinite(found.at) and found.error < 1e-3 * abs(found.at) + 1e-9):
        raise Undefined("not accurate")
    return found


def _apply(op: str, args: list[Value]) -> Value:
    first, last = args[0], args[-1]
    match op:
        case "+":
            total = sum(arg.at for arg in args)
            return Value(total, sum(arg.error for arg in args) + _EPS * max(abs(arg.at) for arg in args))
        case "*":
            product = Value(1, 0.0)
            for arg in args:
                at = product.at * arg.at
                error = abs(product.at) * arg.error + abs(arg.at) * product.error + _EPS * abs(at)
                product = Value(at, error)
            return product
        case "/":
            at = first.at / last.at
            return Value(at, (first.error + abs(at) * last.error) / abs(last.at) + _EPS * abs(at))
        case "neg":
            return Value(-first.at, first.error)
        case "%":
            return Value(first.at / 100, first.error / 100)
        case "deg":
            return Value(first.at * cmath.pi / 180, first.error * 0.02)
        case "^" | "root":
            return _power(op, first, last)
    if op not in _FUNCTIONS:
        raise Undefined(op)
    function = _FUNCTIONS[op]
    at = function(first.at)
    return Value(at, abs(function(first.at + first.error + 1e-300) - at) + 4 * _EPS * (abs(at) + abs(first.at)))


def _power(op: str, base: Value, exponent: Value) -> Value:
    if op == "root":
        odd = exponent.at.real % 2 == 1
        if odd and abs(base.at.imag) <= base.error and base.at.real < 0:
            positive = _power(op, Value(-base.at, base.error), exponent)
            return Value(-positive.at, positive.error)
        exponent = Value(1 / exponent.at, 0.0)
    at = base.at**exponent.at
    if base.at == 0:
        return Value(at, base.error)
    relative = abs(exponent.at) * base.error / abs(base.at) + abs(cmath.log(base.at)) * exponent.error
    return Value(at, abs(at) * (relative + 8 * _EPS * (1 + abs(exponent.at))))


def _quotient(top: Callable[[complex], complex], bottom: Callable[[complex], complex]) -> Callable[[complex], complex]:
    return lambda z: top(z) / bottom(z)


def _one(_: complex) -> complex:
    return 1


_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "asin": cmath.asin, "acos": cmath.acos, "atan": cmath.atan,
    "sinh": cmath.sinh, "cosh": cmath.cosh, "tanh": cmath.tanh, "log": cmath.log, "abs": lambda z: complex(abs(z)),
    "cot": _quotient(cmath.cos, cmath.sin), "sec": _quotient(_one, cmath.cos), "csc": _quotient(_one, cmath.sin),
}  # fmt: skip
