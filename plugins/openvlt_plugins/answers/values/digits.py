"""The symbolic tier: values to many digits at irregular points.

Two expressions that agree to 200 digits at eight such points, on both sides of zero, are considered equal, and so are
two constants that agree to 1000; a smaller difference that is not rounding error counts. So an identity needs no proof
and no simplification, in which computer algebra systems hang. An expression without values (infinities, undefined
functions) is equal only to those with the same normal form.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from threading import get_ident

from openvlt_plugins.answers.grammar.tree import Node, symbols
from openvlt_plugins.answers.values.probe import Arithmetic, Point, Value, are_apart, pairs

_DIGITS = 200
_CONSTANT_DIGITS = 1000
_TRIES = 16
_ENOUGH = 8


def equal(one: Node, other: Node) -> bool:
    """Whether two expressions are equal for real variables."""
    found = _values(one, other)
    return _are_enough(found, one, other) and not any(are_apart(a, b) for a, b in found)


def constant_ratio(one: Node, other: Node, *, signed: bool) -> bool:
    """Whether the quotient of two expressions is a nonzero constant (a positive one, if `signed`)."""
    found = [(a, b) for a, b in _values(one, other) if a.at and b.at]
    if not _are_enough(found, one, other):
        return False
    ratios = [
        Value(a.at / b.at, abs(a.at / b.at) * (a.error / abs(a.at) + b.error / abs(b.at))) for a, b in found
    ]  # fmt: skip
    first = ratios[0]
    return not any(are_apart(first, ratio) for ratio in ratios) and (not signed or first.at.real > 0)


def _values(one: Node, other: Node) -> list[tuple[Value, Value]]:
    """The values of both expressions at the first `_ENOUGH` points at which both have one."""
    names = sorted(symbols(one) | symbols(other))
    arithmetic = _arithmetic(_DIGITS if names else _CONSTANT_DIGITS, get_ident())

    def points() -> Iterator[Point]:
        for attempt in range(_TRIES if names else 1):
            yield {name: arithmetic.number(_coordinate(attempt, index)) for index, name in enumerate(names)}

    return list(islice(pairs(one, other, points(), arithmetic), _ENOUGH))


@lru_cache(maxsize=64)
def _arithmetic(digits: int, thread: int) -> Arithmetic:
    """An arithmetic of so many digits, one for each thread: mpmath changes a context's precision while it computes."""
    import mpmath

    context = mpmath.mp.clone()
    context.dps = digits
    return Arithmetic(lambda value: context.mpf(value.numerator) / value.denominator, context, context.eps, 0.0)


def _coordinate(attempt: int, index: int) -> Fraction:
    """An irregular rational number; its sign alternates between attempts."""
    return Fraction((-1) ** (attempt + index) * (7919 * (attempt + 3) + 104729 * (index + 1)), 50021 + 997 * attempt)


def _are_enough(found: list[tuple[Value, Value]], *nodes: Node) -> bool:
    """True if there are enough points to decide: half of those wanted, or the only one if there are no variables."""
    return len(found) >= (_ENOUGH // 2 if any(symbols(node) for node in nodes) else 1)
