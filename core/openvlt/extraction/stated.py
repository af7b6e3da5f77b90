"""Answers that prose states: behind a phrase such as "the answer is", or where they stand for themselves."""

from __future__ import annotations

import re
import sys
from collections import deque

_PHRASE = re.compile(
    r"(?<!wrong )(?<!incorrect )(?<!false )(?:answer|result)(?: to [^\n.:?]{1,60}?)?[*_]{0,3}\s{0,9}"
    r"(?:(?<![a-z])(?:is|are|(?:should|must|would) be)(?![a-z])|=|:)"
    r"|(?:correct|right|best|my) (?:option|choice|letter)(?: letter)?[*_]{0,3}\s{0,3}(?:is(?![a-z])|[=:])"
    r"|^[#*_]{0,6}[ \t*]{0,9}(?:final )?answer[ \t*:]{0,9}$|^####(?!#)"
    r"|(?:答案|结果|正确的?选项)[*_]{0,3}\s{0,9}(?:应?[是为选](?!否)|等于|[:：])[:：]?"
    r"|(?<![不没别能请])(?<!不[应该可要])[选選][择擇]?[:：]?(?=[ *(（]{0,4}[A-J](?![A-Za-z]))",
    re.IGNORECASE | re.MULTILINE,
)
_JSON = re.compile(r'"(?:final_)?answer"[ \t]{0,9}:[ \t]{0,9}(?:"([^"\\\n]{1,500})"|(-?\d[\d.]{0,50}))')
_STATED = re.compile(r"[ \t]*([^\n]*?)(?:\.(?=\s|$)|。|$)", re.MULTILINE)
_BEFORE = re.compile(r"[\s:：*_]*")
_MARKS = " \t*_"
_ALONE = re.compile(
    r"[*(\[]{0,3}(?:option |choice )?[A-J][*)\].:]{0,4}|[A-J][.):] [^\n]{1,60}|(?:yes|no|true|false)[.,!]?"
    r"|(?:\*\*)?(?:[a-z]? ?= ?)?[-\u2212+$\\(\d.][^\n]{0,40}",
    re.IGNORECASE,
)
_LAST_LETTER = re.compile(
    r"(?:\(([A-J])\)"
    r"|(?:\b[Oo]ption |\()\(?([A-J])\)? is (?:the )?(?:correct|right|best)(?: (?:answer|option|choice|one))?"
    r"|(?<![A-Za-z])([A-J]) ?(?:选?项)? ?是?正确的?"
    r"|^(?:(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore),? )?(?:(?:I|we)(?: would|'d)? (?:choose|pick|select|go with) )?"
    r"(?:[Oo]ption )?([A-J]))[*\s.。]{0,9}$"
)
_TAIL = re.compile(r"(?:(?<=[A-J])选?项| in (?:all|total)|．)$")
_FIGURE = re.compile(
    r"\b(?:at|from|through|near|point|vertex|corner|angle|node|line|side|segment|region|circle|triangle"
    r"|fig(?:ure|\.)?|panel|diagram|labell?ed|marked)[ *]*\(?$",
    re.IGNORECASE,
)
_YES_NO = re.compile(r"(yes|no)(?=[,.;:!])[^\n]*", re.IGNORECASE)
_TURNS = re.compile(r"\b(?:yes|no|but|however|actually|although)\b")
_HEDGE = re.compile(
    r"\b(?:or|either|neither|nor|not|and|cannot|never|wrong|incorrect|see|compare|rules? out"
    r"|(?:exclud|eliminat|contradict|reject)[a-z]{1,5}|\w{1,9}n['’]t)\b",
    re.IGNORECASE,
)


def statement(response: str, begin: int) -> tuple[str, int] | None:
    """The answer that prose states, or that stands for itself, and its offset; None if there is none."""
    if (phrase := last_match(_PHRASE, response, begin)) is not None:
        stated = _STATED.match(response, _BEFORE.match(response, phrase.end()).end())  # type: ignore[union-attr]
        if stated is not None and (answer := _TAIL.sub("", stated.group(1).strip(_MARKS))):
            return answer, phrase.start()
    if (quoted := last_match(_JSON, response, begin)) is not None:
        return quoted.group(1) or quoted.group(2), quoted.start()
    text = response[begin:].strip()
    lines = [line.strip() for line in text.split("\n")]
    last = lines[-1]
    if len(lines) > 1 and len(last) > 4 and last.startswith("**") and last.endswith("**") and "**" not in last[2:-2]:
        return last[2:-2], response.rfind(last)
    if (len(lines) == 1 or (len(lines) > 2 and not lines[1])) and _ALONE.fullmatch(lines[0]):
        return _TAIL.sub("", lines[0].strip(_MARKS)), begin
    if (letter := _LAST_LETTER.search(last)) and not (
        _HEDGE.search(last.rpartition(". ")[2]) or is_of_figure(last, letter.start())
    ):
        return next(filter(None, letter.groups())), response.rfind(last)
    if agreed := _YES_NO.fullmatch(lines[0]):
        return lines[0] if len(set(_TURNS.findall(lines[0].lower()))) > 1 else agreed[1], begin
    return None


def is_of_figure(text: str, letter: int) -> bool:
    """True if the letter at an offset names a part of a figure: "at point (B)"."""
    return _FIGURE.search(text[max(0, letter - 20) : letter]) is not None


def last_match(pattern: re.Pattern[str], text: str, begin: int, end: int = sys.maxsize) -> re.Match[str] | None:
    """The last match between two offsets."""
    matches = deque(pattern.finditer(text, begin, end), maxlen=1)
    return matches[0] if matches else None
