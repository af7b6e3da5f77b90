"""Ordinal numbers: 3rd, third, the third place."""

from __future__ import annotations

import re

from openvlt_plugins.answers.grammar.vocabulary import NUMBER_WORDS
from openvlt_plugins.answers.wording import folded, without_lead_in, without_subject

_IRREGULAR = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
              "twelve": "twelfth"}  # fmt: skip
_WORDS = {
    _IRREGULAR.get(name) or (name[:-1] + "ieth" if name.endswith("y") else f"{name}th"): value
    for name, value in NUMBER_WORDS.items()
}
_DIGITS = re.compile(r"(\d{1,9})(?:st|nd|rd|th)")
_ORDINAL = re.compile(r"(?:the )?(\d{1,9}(?:st|nd|rd|th)|[a-z]+th|first|second|third)(?: (?:place|one))?")


def ordinal(text: str) -> int | None:
    """The number of an ordinal in digits or words; None if the text is none."""
    found = _ORDINAL.fullmatch(without_subject(without_lead_in(folded(text))))
    if not found:
        return None
    digits = _DIGITS.fullmatch(found[1])
    return int(digits[1]) if digits else _WORDS.get(found[1])
