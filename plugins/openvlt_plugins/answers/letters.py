"""How a response names a choice by its letter, and what may stand beside the letter."""

from __future__ import annotations

import re

_LEAD_IN = re.compile(
    r"^(?:(?:so|therefore|thus|hence),? )?(?:(?:(?:i|we)(?: would|'d)? )?(?:choose|pick|select|go with) )?"
    r"(?:(?:the|my) )?(?:(?:final|correct|right|best) )?(?:(?:answer|option|choice|letter)s?(?![a-z]))?"
    r"(?: (?:is|would be|must be))?\s*:?\s*(?:(?:the )?(?:option|choice|letter)\s*:?\s*)?",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"^(?:因此|所以|故|因而)?[,\s]*(?:本题)?(?:正确)?(?:的)?(?:答案|选项|选择|选擇|应选|应選|选|選)(?:应)?[是为选選]?\s*:?\s*(?:选项)?\s*"
)
_TRAILER = re.compile(
    r"\s+(?:is|would be) (?:the )?(?:correct|right|best|final)?\s?(?:answer|option|choice|one)?\.?$", re.IGNORECASE
)
_CHINESE_TRAILER = re.compile(r"(?<=[A-J)）])\s?(?:选?[项項])?(?:[是为]?正确(?:的|答案|选项)?)?$")
ONLY_LETTERS = re.compile(
    r"[\s(\[{]*([A-Za-z])(?:!|[\s)\]}.]*)(?:(?:,|;|/|&|\band\b|\bor\b|和|与|\s)[\s(\[]*([A-Za-z])(?![A-Za-z])[\s)\].]*)*"
)
RUN = re.compile(r"(?=[A-J]{2,10}$)A?B?C?D?E?F?G?H?I?J?")
"""Letters of several choices, written in order without separators."""
ALL_LETTERS = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])")
_MARKED = re.compile(
    r"(?:[(\[]\s*([A-Za-z])\s*[)\]]|([A-Za-z])(?:\s*[.):,]|\s+[-\u2014]|\s*\n)(?=\s|$)|([A-Za-z])(?=\s*$)"
    r"|([A-Z])(?=\s+(?:because|since|as)\b)|([A-Z])[.):](?=\S))"
    r"\s*(?:[.:,\u2014](?!\d)|-(?=\s))?\s*(.*)",
    re.DOTALL,
)
_GLUED = re.compile(r"[(\[]?([A-Z])[)\]]?(?:[\s:,]|\.(?!\d))*(?:-(?![\d.])\s*)?(\S.*)", re.DOTALL)
_LAST = re.compile(r"(.*\S)\s*[(\[]\s*(?:(?:option|choice|answer)\s*)?([A-Ja-j])\s*[)\]]\.?", re.DOTALL | re.IGNORECASE)
NAMED = re.compile(
    r"[(\[]\s*([A-Ja-j])\s*[)\]]|(?<![A-Za-z])([B-J])(?![A-Za-z'])"
    r"|(?<![A-Za-z])(A)(?=\s*[.):,;]|\s*$| (?:is|are|too|also)\b)"
    r"|(?:\b(?:be|is|or|and|but|nor|not|also|maybe|perhaps|rather|actually|then)\b|[,;/&])\s*(A)(?![A-Za-z'])(?!\s+[a-z])"
)
"""Another letter beside the first. A before a word in lower case is the article."""
TURN = re.compile(
    r"\b(?:not|no|nor|never|nope|nah|neither|none|cannot|\w+n['’]?t|wrong|false|but|however|except|unless|wait|hmm|oops|sorry"
    r"|correction|actually|instead|rather|otherwise|alternatively|final(?:ly)?|answer|pick(?:s|ed)?|choos(?:e|es|ing)"
    r"|chose|chosen|choice|select(?:s|ed)?|prefer(?:s|red)?|switch(?:ed)?|chang(?:e|ed)|ruled|crossed|out of"
    r"|(?:exclud|eliminat|reject|discard|contradict|refut|disprov|fail|impossib|invalid|incorrect|unlikel|mistak)\w*)\b"
    r"|≠|\\neq?\b|不|错|否",
    re.IGNORECASE,
)
"""Words that retract a choice or choose anew."""


def without_lead_in(text: str) -> str:
    """The text without "The answer is" before a choice and "is the correct answer" behind it."""
    return _TRAILER.sub("", _LEAD_IN.sub("", _CHINESE_TRAILER.sub("", _CHINESE.sub("", text)))).strip() or text


def marked(text: str) -> tuple[str, str] | None:
    """The letter that a text begins with, marked as that of a choice, and what follows it."""
    found = _MARKED.match(text)
    if not found:
        return None
    return next(letter for letter in found.groups()[:5] if letter).upper(), found.group(6)


def glued(text: str) -> tuple[str, str] | None:
    """A first letter and what follows it, however the two are separated."""
    found = _GLUED.fullmatch(text)
    return (found.group(1), found.group(2)) if found else None


def named_last(text: str) -> tuple[str, str] | None:
    """The letter in brackets at the end of a text, as in ``15 cm (B)``, and what precedes it."""
    found = _LAST.fullmatch(text)
    return (found.group(2).upper(), found.group(1)) if found else None
