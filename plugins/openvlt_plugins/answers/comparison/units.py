"""Whether two units agree, and the factor that converts one into the other."""

from __future__ import annotations

from fractions import Fraction

from openvlt_plugins.answers.comparison.measures import MEASURES, Dimension
from openvlt_plugins.answers.grammar.tree import Unit
from openvlt_plugins.answers.values.exact import power

_MULTIPLES = frozenset({"decade", "century", "millennium"})


def agree(gold: Unit, given: Unit) -> bool | None:
    """True if one unit is missing; for a generic one such as ``square units``, whether the powers agree; else None.

    6 decades are not 6 of what the gold counts without a unit: they are a number of years.
    """
    if not gold or not given:
        return bool(gold) or _MULTIPLES.isdisjoint(name for name, _ in given)
    if any({name for name, _ in unit} == {"unit"} for unit in (gold, given)):
        return max(power for _, power in gold) == max(power for _, power in given)
    return None


def conversion(source: Unit, target: Unit) -> Fraction | None:
    """The exact factor that converts a value in `source` to `target`; None if they measure different things.

    Raises:
        TooLarge: the power of a unit is beyond the limits.
    """
    if source == target:
        return Fraction(1)
    names = {name for name, _ in (*source, *target)}
    if names == {"dollar", "cent"} and len(source) == len(target) == 1:
        return Fraction(100) if source[0][0] == "dollar" else Fraction(1, 100)
    if not names <= MEASURES.keys():
        return _same_noun(source, target)
    (one, dimension), (other, wanted) = _measured(source), _measured(target)
    return one / other if dimension == wanted else None


def _same_noun(source: Unit, target: Unit) -> Fraction | None:
    """One, if the words of one counted noun include those of the other: ``students``, ``students per year``."""
    if len(source) != 1 or len(target) != 1:
        return None
    one, other = set(source[0][0].split()), set(target[0][0].split())
    return Fraction(1) if one <= other or other <= one else None


def _measured(unit: Unit) -> tuple[Fraction, Dimension]:
    """Value in base units and dimension of a product of powers of units."""
    total = Fraction(1)
    exponents: dict[str, int] = {}
    for name, times in unit:
        value, dimension = MEASURES[name]
        total *= power(value, Fraction(times)) or 0
        for base, exponent in dimension.items():
            exponents[base] = exponents.get(base, 0) + exponent * times
    return total, {base: exponent for base, exponent in exponents.items() if exponent}
