"""The vocabulary's units in base units.

The values are those of pint 0.25; a test compares them with it. pint itself is not used, since importing it takes
longer than thousands of verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

Dimension: TypeAlias = Mapping[str, int]
"""Exponents of base units: ``{"m": 1, "s": -2}``."""

_VALUES = {
    "": {"degree": "31415926535897932384626433832795028841971693993751/18" + "0" * 50, "radian": "1"},
    "A": {"mA": "1/1000", "A": "1"},
    "K": {"K": "1"},
    "kg": {
        "mg": "1/1000000", "g": "1/1000", "ounce": "45359237/1600000000", "pound": "45359237/100000000", "kg": "1",
        "ton": "45359237/50000", "tonne": "1000",
    },
    "m": {
        "nm": "1/1000000000", "um": "1/1000000", "mm": "1/1000", "cm": "1/100", "inch": "127/5000", "dm": "1/10",
        "foot": "381/1250", "yard": "1143/1250", "m": "1", "km": "1000", "mile": "201168/125",
    },
    "m2": {"acre": "62726400000/15499969", "hectare": "10000"},
    "m3": {"mL": "1/1000000", "liter": "1/1000", "gallon": "473176473/125000000000"},
    "mol": {"mol": "1"},
    "s": {
        "ms": "1/1000", "s": "1", "minute": "60", "hour": "3600", "day": "86400", "week": "604800", "month": "2629800",
        "year": "31557600", "decade": "315576000", "century": "3155760000", "millennium": "31557600000",
    },
    "s-1": {"Hz": "1", "kHz": "1000", "MHz": "1000000", "GHz": "1000000000"},
    "m s-1": {"kph": "5/18", "mph": "1397/3125"},
    "m kg s-2": {"N": "1", "kN": "1000"},
    "m-1 kg s-2": {"Pa": "1", "kPa": "1000"},
    "m2 kg s-2": {
        "eV": "801088317/5000000000000000000000000000", "J": "1", "cal": "523/125", "kJ": "1000", "kcal": "4184",
        "MJ": "1000000",
    },
    "m2 kg s-3": {"W": "1", "kW": "1000", "MW": "1000000"},
    "A-1 m2 kg s-3": {"mV": "1/1000", "V": "1", "kV": "1000"},
    "A-2 m2 kg s-3": {"ohm": "1"},
}  # fmt: skip


def _dimension(base: str) -> Dimension:
    parts = {part.rstrip("-0123456789"): part for part in base.split()}
    return {name: int(part[len(name) :] or 1) for name, part in parts.items()}


MEASURES = {
    name: (Fraction(value), _dimension(base)) for base, values in _VALUES.items() for name, value in values.items()
}
"""Unit to its value in base units and its dimension."""
