"""What units are worth, compared with pint."""

from __future__ import annotations

from fractions import Fraction

import pint
import pytest

from openvlt_plugins.answers.comparison.measures import MEASURES
from openvlt_plugins.answers.comparison.units import conversion
from openvlt_plugins.answers.grammar.vocabulary import UNITS

BASES = {"A": "ampere", "K": "kelvin", "kg": "kilogram", "m": "meter", "mol": "mole", "s": "second"}
WITHOUT_MEASURE = {"dollar", "cent", "euro", "sterling", "yen", "yuan", "unit", "percent"}


@pytest.fixture(scope="module")
def registry() -> pint.UnitRegistry:
    return pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)


@pytest.mark.parametrize("unit", MEASURES)
def test_every_unit_is_worth_what_pint_says(registry: pint.UnitRegistry, unit: str) -> None:
    value, dimension = MEASURES[unit]
    base = registry.Quantity(Fraction(1), "dimensionless")
    for name, exponent in dimension.items():
        base = base * registry.Quantity(Fraction(1), BASES[name]) ** exponent
    # What pint calls a decade is a ratio of ten.
    found = registry.Quantity(Fraction(10), "year") if unit == "decade" else registry.Quantity(Fraction(1), unit)
    assert found.dimensionality == base.dimensionality
    assert (found / base).to_base_units().magnitude == value


def test_every_unit_that_is_read_has_its_worth() -> None:
    assert set(UNITS.values()) - WITHOUT_MEASURE == MEASURES.keys()


def test_products_of_powers_are_converted_exactly() -> None:
    speed = (("km", 1), ("hour", -1))
    assert (
        conversion(speed, (("m", 1), ("s", -1))) == conversion((("kph", 1),), (("m", 1), ("s", -1))) == Fraction(5, 18)
    )
    assert conversion((("cm", 3),), (("mL", 1),)) == 1
    assert conversion((("J", 1),), (("kcal", 1),)) == Fraction(1, 4184)
    assert conversion((("J", 1),), (("W", 1),)) is None
    assert conversion((("J", 1),), (("W", 1), ("s", 1))) == 1
