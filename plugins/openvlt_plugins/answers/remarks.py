"""What an answer says without the remark, the reason or the explanation beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from openvlt_plugins.answers.grammar.modifiers import denies
from openvlt_plugins.answers.grammar.vocabulary import NUMBER_WORDS, SCALES
from openvlt_plugins.answers.letters import TURN

_BRACKETED = re.compile(r"([^()]{1,200}?)\s*[(\uff08]([^()\uff08\uff09]{1,200})[)\uff09]\s*\.?")
_REASON = re.compile(
    r"(.{1,200}?)[,;.]?\s+(?:because|since|as (?:it|the|this|we|shown|seen|given)|so that)\s+(.+)", re.DOTALL
)
_PARAGRAPHS = re.compile(r"(\S[^\n]{0,199})\n[ \t\r]{0,20}\n\s*(\S.*)", re.DOTALL)
_NUMERALS = frozenset({*NUMBER_WORDS, *SCALES, "and"})
_HEDGE = re.compile(r"(?:or|and|also|maybe|perhaps|possibly)\b", re.IGNORECASE)
_BOUNDED = re.compile(r"\bat (?:least|most)\b|\b(?:upper|lower) (?:bound|limit)", re.IGNORECASE)
_POINTS = re.compile(
    r"(?:see|as (?:shown|seen)|shown|from|given|in)(?: [\w ]{1,60}?)?(?= (?:above|below)$)", re.IGNORECASE
)
"""Points at the figure or text above, which is no bound."""
_ANEW = re.compile(
    r"scratch that|\btake (?:that|it|this) back|on (?:second thoughts?|reflection)|\breconsider", re.IGNORECASE
)
_EXPLAINS = re.compile(r"\W{0,4}(?:explanation|because|since|reason|note|here|check)", re.IGNORECASE)
_ASSERTS = re.compile(
    r"(?:it|that|this|the (?:\w{1,20} )?answer)(?: \w{1,10})? (?:is|was|be|equals?|=) "
    r"[^\w(]{0,4}(\d+(?:\.\d+)?)\W{0,4}",
    re.IGNORECASE,
)
"""A reason that is nothing but a value: "because it is 59"."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SHORT = 6
"""Words up to which a paragraph behind an answer that has another number is another answer."""
_WORD = re.compile(r"[^\W\d_]+")


def cores(text: str) -> Iterator[tuple[str, ...]]:
    """The texts an answer consists of once what explains it is dropped; all of one tuple must be right.

    ``5 (see the table)`` and ``5, because ...`` say 5; ``two (2)`` says two and 2, and both must be right. Nothing is
    dropped that denies, scales or chooses anew, and no numbers but those of a reason.
    """
    text = text.strip()
    if ("(" in text or "\uff08" in text) and (found := _BRACKETED.fullmatch(text)):
        main, remark = found.groups()
        if not _is_prose(remark) or all(word.casefold() in _NUMERALS for word in _WORD.findall(remark)):
            yield main, remark
        elif _is_harmless(remark):
            yield (main,)
    if " " in text and (found := _REASON.fullmatch(text)) and not _gives_another(*found.groups()):
        yield (found.group(1),)
    if "\n" in text and (found := _PARAGRAPHS.fullmatch(text)) and not _says_another(*found.groups()):
        yield (found.group(1),)


def _is_prose(text: str) -> bool:
    """True for several words, or one that is neither a number nor a unit in brackets, without digits and operators."""
    return not re.search(r"[\d\\^=<>$%]", text) and len(_WORD.findall(text)) > 1


def _gives_another(main: str, reason: str) -> bool:
    """True if the reason for an answer retracts it, or says that it is another number."""
    said = _ASSERTS.fullmatch(reason)
    numbers = _NUMBER.findall(main)
    return TURN.search(reason) is not None or (said is not None and bool(numbers) and said[1] not in numbers)


def _says_another(main: str, rest: str) -> bool:
    """True if the paragraphs behind an answer retract it, or are another answer."""
    if TURN.search(rest) or _ANEW.search(rest) or _HEDGE.match(rest):
        return True
    short = len(_WORD.findall(rest[:200])) <= _SHORT and not _EXPLAINS.match(rest)
    numbers = _NUMBER.findall(rest) if short else []
    return bool(numbers) and not set(_NUMBER.findall(main)) & set(numbers)


def _is_harmless(text: str) -> bool:
    text = points.group() if (points := _POINTS.match(text.strip())) else text
    return not (TURN.search(text) or _HEDGE.match(text) or _BOUNDED.search(text)) and not any(
        denies(word.casefold()) for word in _WORD.findall(text)
    )
