"""SymPy, as the last resort: objects are built from the tree, never from text, and only within limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openvlt_plugins.answers.grammar.limits import BITS, EXPONENT, FACTORIAL, TooLarge
from openvlt_plugins.answers.grammar.tree import Call, Node, Num, Sym, symbols
from openvlt_plugins.answers.values.exact import rational

_DIGITS = 60
_CONSTANT_DIGITS = 300
_TRIES = 16
_ENOUGH = 8
_FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc", "asin": "asin", "acos": "acos",
    "atan": "atan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "log": "log", "abs": "Abs", "!": "factorial",
}  # fmt: skip


def equal(one: Node, other: Node) -> bool:
    """Whether two expressions are equal for real variables: their difference cancels, or it loses all its digits
    wherever it is looked at, on both sides of zero. A difference that is small but has digits is a difference.

    Raises:
        TooLarge: a power or factorial passes a limit.
    """
    try:
        difference = build(one) - build(other)
    except Unbuildable:
        return False
    return difference == 0 or _vanishes(difference, sorted(symbols(one) | symbols(other)))


def constant_ratio(one: Node, other: Node, *, signed: bool) -> bool:
    """Whether the quotient of two expressions is a constant that is not zero (and positive, if `signed`)."""
    import sympy

    try:
        ratio = sympy.simplify(build(one) / build(other))
    except Unbuildable:
        return False
    if ratio.free_symbols or ratio in {sympy.S.Zero, sympy.nan, sympy.zoo}:
        return False
    return bool(ratio.is_positive) if signed else True


class Unbuildable(Exception):
    """The tree holds something that is no expression, or has no value."""


def build(node: Node) -> Any:
    """The SymPy object of an expression; variables are real.

    Raises:
        TooLarge: a power or factorial passes a limit.
        Unbuildable: it is no expression, or has no value (0^0).
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
        if base == 0 and exponent <= 0:
            raise Unbuildable
        size = 1 if base is None else max(base.numerator.bit_length(), base.denominator.bit_length())
        if abs(exponent) > EXPONENT or size * abs(exponent) > BITS:
            raise TooLarge("a power beyond the limits")
    if op == "!" and (value := rational(args[0])) is not None and abs(value) > FACTORIAL:
        raise TooLarge(f"the factorial of more than {FACTORIAL}")


def _vanishes(expression: Any, names: list[str]) -> bool:
    """True if the expression is zero to many digits at enough irregular points where it is real, on both sides of 0."""
    import sympy

    variables = [sympy.Symbol(name, real=True) for name in names]
    digits = _DIGITS if variables else _CONSTANT_DIGITS
    seen = 0
    for turn in range(_TRIES if variables else 1):
        point = {
            variable: sympy.Rational((-1) ** (turn + i) * (7919 * (turn + 3) + 104729 * (i + 1)), 50021 + 997 * turn)
            for i, variable in enumerate(variables)
        }
        found = expression.subs(point)
        if found.has(sympy.zoo, sympy.nan, sympy.oo):
            continue
        real, imaginary = (_is_zero(part) for part in sympy.N(found, digits, maxn=4 * digits).as_real_imag())
        if real is None or imaginary is None or (variables and not imaginary):
            continue
        if not (real and imaginary):
            return False
        seen += 1
        if seen == _ENOUGH:
            break
    return seen >= (_ENOUGH // 2 if variables else 1)


def _is_zero(part: Any) -> bool | None:
    """Whether SymPy found a number to be zero: exactly, or by losing all its digits; None if it found no number."""
    if not part.is_Number:
        return None
    return bool(part == 0) or getattr(part, "_prec", 2) == 1
