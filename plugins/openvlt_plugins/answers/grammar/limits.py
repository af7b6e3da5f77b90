"""All limits on what is read and computed; within them every answer is decided in bounded time."""

from __future__ import annotations

CHARACTERS = 4_000
"""of an answer"""
DIGITS = 300
"""of one number"""
TOKENS = 600
"""of an answer"""
STEPS = 20_000
"""of the parser; the grammar is linear but for points, which are read twice a level"""
NESTING = 40
"""of brackets, fractions and powers"""
EXPONENT = 10_000
"""of a power with a number as base"""
BITS = 32_768
"""of an intermediate exact number"""
MAGNITUDE = 1e6
"""natural logarithm of a power that is computed approximately"""
FACTORIAL = 2_500
"""argument of a factorial"""
TERMS = 300
"""of a polynomial in normal form"""
PRODUCTS = 10_000
"""of two terms, in the computation of a normal form"""
PHRASE = 150
"""tokens of an answer that mixes words and mathematics"""
LETTERS = 100
"""characters of an answer that consists of letters of choices"""
ITEMS = 64
"""of a set, list or tuple compared without order"""


class TooLarge(Exception):
    """The text exceeds a limit; its author is the cause."""
