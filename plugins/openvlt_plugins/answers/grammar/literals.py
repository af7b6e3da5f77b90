"""Number literals."""

from __future__ import annotations

import re
from fractions import Fraction

from openvlt_plugins.answers.grammar import limits
from openvlt_plugins.answers.grammar.limits import TooLarge
from openvlt_plugins.answers.grammar.tree import Num
from openvlt_plugins.answers.grammar.vocabulary import UNITS

_DIGITS = {"零": 0, "〇": 0, "两": 2} | {name: value for value, name in enumerate("一二三四五六七八九", start=1)}
_TENS = {"十": 10, "百": 100, "千": 1000}
_SPELLED = "[一二两三四五六七八九十][零〇一二两三四五六七八九十百千万]{0,12}"
_WHOLE = re.compile(rf"({_SPELLED}|零)([^\W\d_]{{0,2}})")
_PART = re.compile(rf"({_SPELLED})分之({_SPELLED})")


def number(text: str) -> Num:
    """The exact value of a decimal literal, scientific notation included."""
    mantissa, _, exponent = text.lower().partition("e")
    if exponent and abs(int(exponent)) > limits.DIGITS:
        raise TooLarge(f"a power of ten beyond {limits.DIGITS}")
    point = mantissa.find(".")
    decimals = None if point < 0 or point == len(mantissa) - 1 else len(mantissa) - point - 1
    return Num(Fraction(mantissa.rstrip(".")) * Fraction(10) ** int(exponent or 0), decimals)


def in_digits(text: str) -> str:
    """The text; a Chinese numeral, with a unit or as a fraction, in digits (``六个``, ``三分之二``)."""
    text = text.strip()
    if part := _PART.fullmatch(text):
        return f"\\frac{{{_chinese(part[2])}}}{{{_chinese(part[1])}}}"
    whole = _WHOLE.fullmatch(text)
    return f"{_chinese(whole[1])}{whole[2]}" if whole and (not whole[2] or whole[2] in UNITS) else text


def _chinese(name: str) -> int:
    """The value of a numeral below a hundred million, such as ``二百零五``."""
    total, digit = 0, 0
    high, _, low = name.rpartition("万")
    for character in low:
        if character in _TENS:
            total += (digit or 1) * _TENS[character]
            digit = 0
        else:
            digit = 10 * digit + _DIGITS[character] if digit and total == 0 else _DIGITS[character]
    return (_chinese(high) if high else 0) * 10_000 + total + digit
