"""Units: which are known, and by what factor one turns into another."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

from openvlt_plugins.answers.grammar.vocabulary import UNITS

Unit: TypeAlias = tuple[tuple[str, int], ...]

_MONEY = frozenset({"dollar", "cent", "euro", "sterling", "yen"})
_PINT = frozenset(UNITS.values()) - _MONEY - {"unit", "percent"}


def agree(one: Unit, other: Unit) -> bool | None:
    """True if one is no unit at all, or the generic ``square units`` and the other has its power; None otherwise."""
    if not one or not other:
        return True
    if any({name for name, _ in unit} == {"unit"} for unit in (one, other)):
        return max(power for _, power in one) == max(power for _, power in other)
    return None


def conversion(source: Unit, target: Unit) -> Fraction | None:
    """The exact factor that turns a value in `source` into one in `target`; None if they do not measure the same."""
    if source == target:
        return Fraction(1)
    names = {name for name, _ in (*source, *target)}
    if names == {"dollar", "cent"} and len(source) == len(target) == 1:
        return Fraction(100) if source[0][0] == "dollar" else Fraction(1, 100)
    if not names <= _PINT:
        return _same_noun(source, target)
    from openvlt_plugins.answers.comparison.registry import REGISTRY

    one = _quantity(REGISTRY, source)
    other = _quantity(REGISTRY, target)
    if one.dimensionality != other.dimensionality:
        return None
    return Fraction((one / other).to_base_units().magnitude).limit_denominator(10**12)


def _same_noun(source: Unit, target: Unit) -> Fraction | None:
    """What is counted agrees if one says all the other says: ``students`` and ``students per year``."""
    if len(source) != 1 or len(target) != 1:
        return None
    one, other = set(source[0][0].split()), set(target[0][0].split())
    return Fraction(1) if one <= other or other <= one else None


def _quantity(registry: Any, unit: Unit) -> Any:
    result = registry.Quantity(Fraction(1))
    for name, power in unit:
        result = result * registry.Quantity(Fraction(1), name) ** power
    return result
