"""Every limit on what is read and computed, in one place. What passes them is decided in bounded time."""

from __future__ import annotations

CHARACTERS = 4_000
"""of an answer"""
DIGITS = 300
"""of one number"""
TOKENS = 600
"""of an answer"""
NESTING = 40
"""of brackets, fractions and powers"""
EXPONENT = 10_000
"""of a power with a number as base"""
BITS = 65_536
"""of an exact number on the way"""
FACTORIAL = 4_000
"""argument of a factorial"""
TERMS = 300
"""of a polynomial in normal form"""
ITEMS = 64
"""of a set, list or tuple compared without order"""


class TooLarge(Exception):
    """The text passes a limit; whoever wrote it is the cause."""
