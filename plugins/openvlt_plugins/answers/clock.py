"""Clock times and dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from openvlt import AnswerVerifier, Claim, Option, Verdict
from openvlt_plugins.answers.wording import folded

_LEAD_IN = re.compile(r"^(?:(?:it|the (?:time|answer|date)) (?:is|was) )?(?:at |on )?")
_CLOCK = re.compile(
    r"(\d{1,2})(?:[:h](\d{2})(?::(\d{2}))?)?\s*(?:o'clock)?\s*(?:([ap])\.?\s?m\b\.?)?"
    r"(?:\s*in the (morning|afternoon|evening))?"
)
BARE_CLOCK = re.compile(r"\d{1,2}:[0-5]\d(?::[0-5]\d)?")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH = rf"({'|'.join(f'{name[:3]}(?:{name[3:]})?' for name in _MONTHS)}|sept)\.?"
_WEEKDAY = re.compile(r"^(?:mon|tues|wednes|thurs|fri|satur|sun)day,? ")
_EITHER = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})")
_DATES = (
    re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"),
    re.compile(rf"(?P<m>{_MONTH}) (?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y>\d{{4}}))?"),
    re.compile(rf"(?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)?[ -](?P<m>{_MONTH})(?:(?:,? |-)(?P<y>\d{{4}}))?"),
    re.compile(r"(?P<y>\d{4})\s?年\s?(?P<m>\d{1,2})\s?月\s?(?P<d>\d{1,2})\s?[日号]"),
    re.compile(rf"(?P<m>{_MONTH}),? (?P<y>\d{{4}})(?P<d>)"),
)


LONGEST = 60
"""Characters of a time or date with the words around it."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day; `half` is ``a`` or ``p`` if stated, else empty."""

    hour: int
    minute: int
    second: int
    half: str

    @property
    def around(self) -> tuple[int, int, int]:
        """The position of the hands: the time without the half of the day."""
        return self.hour % 12, self.minute, self.second


@dataclass(frozen=True, slots=True)
class Date:
    """A day, or a month of a year; year and day are None if not stated."""

    year: int | None
    month: int
    day: int | None


def read_clock(text: str) -> Clock | None:
    """Read a time of day; None if the text is not one."""
    if len(text) > LONGEST:
        return None
    text = _LEAD_IN.sub("", folded(text))
    if text in {"noon", "midnight"}:
        return Clock(12 if text == "noon" else 0, 0, 0, "p" if text == "noon" else "a")
    found = _CLOCK.fullmatch(text)
    if not found or not (found.group(2) or found.group(4) or "o'clock" in text):
        return None
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    half = found.group(4) or {"morning": "a", "afternoon": "p", "evening": "p"}.get(found.group(5) or "", "")
    if hour > 24 or minute > 59 or second > 59 or (half and not 1 <= hour <= 12):
        return None
    if hour > 12 or hour == 0:
        half = "p" if 12 < hour < 24 else "a"
    return Clock(hour % 24, minute, second, half)


def read_date(text: str) -> Date | None:
    """Read a date; None if the text is not one, or is ambiguous (03/01/2015)."""
    if len(text) > LONGEST:
        return None
    text = _WEEKDAY.sub("", _LEAD_IN.sub("", folded(text)))
    if found := _EITHER.fullmatch(text):
        return _either_first(int(found[1]), int(found[3]), int(found[4]))
    for pattern in _DATES:
        if found := pattern.fullmatch(text):
            month = found["m"]
            number = int(month) if month.isdigit() else [name[:3] for name in _MONTHS].index(month[:3]) + 1
            day = int(found["d"]) if found["d"] else None
            if not (1 <= number <= 12 and (day is None or 1 <= day <= 31)):
                return None
            return Date(int(found["y"]) if found["y"] else None, number, day)
    return None


def _either_first(one: int, other: int, year: int) -> Date | None:
    """The date of a day and a month in either order, if only one of the two orders is a date."""
    orders = {(month, day) for month, day in ((one, other), (other, one)) if 1 <= month <= 12 and 1 <= day <= 31}
    return Date(year, *orders.pop()) if len(orders) == 1 else None


def is_moment(text: str) -> bool:
    """True for a date, or a time of day that cannot be a ratio."""
    clock = read_clock(text)
    return read_date(text) is not None or (clock is not None and not BARE_CLOCK.fullmatch(text.strip()))


@dataclass(frozen=True)
class Time(AnswerVerifier):
    """Clock times and dates.

    Accepts ``8:30``, ``8:30 a.m.``, ``08:30``, ``20:30`` for ``8:30 p.m.``, ``8 o'clock``, ``2015-03-01``,
    ``March 1, 2015``, ``1 March``. Refuses another minute, the other half of the day where both are stated, and
    ambiguous dates, in which either the day or the month may come first.
    """

    version: ClassVar[str] = "4"
    inline: ClassVar[bool] = True
    context_free: ClassVar[bool] = True

    half: Annotated[
        Literal["optional", "required"], Option("must a.m. or p.m. be stated where the gold states it?")
    ] = "optional"
    year: Annotated[Literal["optional", "required"], Option("must the year be stated where the gold states it?")] = (
        "required"
    )

    def check(self, answer: str, claim: Claim) -> Verdict:
        gold = claim.example.answer
        if date := read_date(gold):
            same = self._same_day(date, read_date(answer))
        elif clock := read_clock(gold):
            same = self._same_time(clock, read_clock(answer))
        else:
            return Verdict.bad_gold(f"the gold {gold[:80]!r} is neither a time nor a date")
        return Verdict.correct("the same", tier="time") if same else Verdict.incorrect("not the same", tier="time")

    quick = check

    def _same_time(self, gold: Clock, given: Clock | None) -> bool:
        if given is None:
            return False
        if gold.half and given.half:
            return gold.half == given.half and gold.around == given.around
        return gold.around == given.around and not (gold.half and self.half == "required")

    def _same_day(self, gold: Date, given: Date | None) -> bool:
        if given is None:
            return False
        if gold.year is not None and given.year is None and self.year == "required":
            return False
        same_year = gold.year is None or given.year is None or gold.year == given.year
        return same_year and (gold.month, gold.day) == (given.month, given.day)
