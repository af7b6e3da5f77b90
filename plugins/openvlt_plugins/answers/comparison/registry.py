"""Pint's registry of units. Importing this module builds it, which takes longer than most claims may."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pint

REGISTRY: Any = pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)
