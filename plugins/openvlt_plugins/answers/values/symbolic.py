"""The last tier: values to hundreds of digits at irregular points; where there are none, SymPy.

Two expressions that agree to 300 digits at eight such points, on both sides of zero, are taken for equal; a difference
that is small but has digits is a difference. SymPy's objects are built from the tree, never from text, within limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

from openvlt_plugins.answers.grammar.limits import BITS, EXPONENT, FACTORIAL, TooLarge
from openvlt_plugins.answers.grammar.tree import Call, Node, Num, Sym, symbols
from openvlt_plugins.answers.values.exact import rational
from openvlt_plugins.answers.values.probe import Arithmetic, Point, Value, are_apart, pairs

_DIGITS = 300
_TRIES = 16
_ENOUGH = 8
_FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc", "asin": "asin", "acos": "acos",
    "atan": "atan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "log": "log", "abs": "Abs", "!": "factorial",
}  # fmt: skip


def equal(one: Node, other: Node) -> bool:
    """Whether two expressions are equal for real variables.

    Raises:
        TooLarge: a power or factorial passes a limit.
    """
    found = _values(one, other)
    if found:
        return _are_enough(found, one, other) and not any(are_apart(a, b) for a, b in found)
    try:
        return bool(build(one) - build(other) == 0)
    except Unbuildable:
        return False


def constant_ratio(one: Node, other: Node, *, signed: bool) -> bool:
    """Whether the quotient of two expressions is a constant that is not zero (and positive, if `signed`)."""
    found = [(a, b) for a, b in _values(one, other) if a.at and b.at]
    if not _are_enough(found, one, other):
        return False
    ratios = [
        Value(a.at / b.at, abs(a.at / b.at) * (a.error / abs(a.at) + b.error / abs(b.at))) for a, b in found
    ]  # fmt: skip
    first = ratios[0]
    return not any(are_apart(first, ratio) for ratio in ratios) and (not signed or first.at.real > 0)


def _values(one: Node, other: Node) -> list[tuple[Value, Value]]:
    """Both values at the first `_ENOUGH` of some points at which both have one."""
    import mpmath

    context = mpmath.mp.clone()
    context.dps = _DIGITS
    arithmetic = Arithmetic(lambda value: context.mpf(value.numerator) / value.denominator, context, context.eps)
    names = sorted(symbols(one) | symbols(other))

    def points() -> Iterator[Point]:
        for turn in range(_TRIES if names else 1):
            yield {name: arithmetic.number(_place(turn, index)) for index, name in enumerate(names)}

    return list(islice(pairs(one, other, points(), arithmetic), _ENOUGH))


def _place(turn: int, index: int) -> Fraction:
    """An irregular rational number; consecutive turns lie on different sides of zero."""
    return Fraction((-1) ** (turn + index) * (7919 * (turn + 3) + 104729 * (index + 1)), 50021 + 997 * turn)


def _are_enough(found: list[tuple[Value, Value]], *nodes: Node) -> bool:
    """True if so many points prove something: half of those wanted, or the only one if there are no variables."""
    return len(found) >= (_ENOUGH // 2 if any(symbols(node) for node in nodes) else 1)


class Unbuildable(Exception):
    """The tree holds something that is no expression."""


def build(node: Node) -> Any:
    """The SymPy object of an expression; variables are real.

    Raises:
        TooLarge: a power or factorial passes a limit.
        Unbuildable: it is no expression.
    """
    import sympy

    match node:
        case Num(value=value):
            return sympy.Rational(value.numerator, value.denominator)
        case Sym(name=name):
            constants = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}
            return constants[name] if name in constants else sympy.Symbol(name, real=True)
        case Call(op=op, args=args):
            _check(op, args)
            return _apply(op, [build(arg) for arg in args])
    raise Unbuildable


def _apply(op: str, args: list[Any]) -> Any:
    import sympy

    simple: dict[str, Callable[[], Any]] = {
        "+": lambda: sympy.Add(*args),
        "*": lambda: sympy.Mul(*args),
        "/": lambda: args[0] / args[1],
        "neg": lambda: -args[0],
        "%": lambda: args[0] / 100,
        "deg": lambda: args[0] * sympy.pi / 180,
        "^": lambda: args[0] ** args[1],
        "root": lambda: sympy.real_root(args[0], args[1]) if args[1].is_odd else args[0] ** (1 / args[1]),
    }
    if op in simple:
        return simple[op]()
    if op in _FUNCTIONS:
        return getattr(sympy, _FUNCTIONS[op])(*args)
    if op.endswith("()"):
        return sympy.Function(op.removesuffix("()"))(*args)
    raise Unbuildable


def _check(op: str, args: tuple[Node, ...]) -> None:
    """Refuse what SymPy would compute at once and for ever."""
    if op == "^" and not symbols(args[1]):
        exponent, base = rational(args[1]), rational(args[0])
        if exponent is None:
            return
        size = 1 if base is None else max(base.numerator.bit_length(), base.denominator.bit_length())
        if abs(exponent) > EXPONENT or size * abs(exponent) > BITS:
            raise TooLarge("a power beyond the limits")
    if op == "!" and (value := rational(args[0])) is not None and abs(value) > FACTORIAL:
        raise TooLarge(f"the factorial of more than {FACTORIAL}")
