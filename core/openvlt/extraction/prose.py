"""The last readable answer in prose, for the reading ``anywhere``; and whether a response is nothing but an answer.

Sentences are read from the last to the first, in Markdown and LaTeX stripped of their marks:

1. A sentence that gives up ("cannot be determined"), asks, or hedges over its candidates ("5 or 6") ends the search:
   there is no answer.
2. The first sentence with a candidate has the answer. A candidate is a choice of the question, by letter or by
   content; yes or no; or a number: the first one behind the last equals sign, "is", "are", "gives" and the like. What a
   remark says ("because", ", which", "than", brackets) is no candidate if the rest has one.
3. Several candidates that differ are no answer.

The question tells what to look for: its choices, or its answer type. Without them all kinds are candidates.

A short line that is no sentence is nothing but an answer: "quarter past", "dark red". One that has a verb, denies,
hedges, asks or names a part of a figure is none, since what it says is not what it answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

from openvlt.extraction.stated import is_of_figure
from openvlt.records import Example

Candidates: TypeAlias = tuple[list[str], str]
"""The answers that a sentence may give, and what it says around them, where a hedge counts."""

NONE: Candidates = ([], "")
LONGEST = 4_000
"""Characters of prose that are read, the last ones."""
BARE = 60
"""Longest line, in characters, that may be nothing but the answer."""
_SENTENCES = 100

_END = re.compile(r"(?<=[.!?])\s+(?![a-z])|\n+|(?<=[。！？])")
_MARKUP = re.compile(
    r"\*\*|__|`|\\[()\[\],!;:]|\\(?:text|mathrm|mathbf|left|right|quad)(?![a-z])|(?<!\\)\$|^\s*(?:[-*#>]+|\d{1,2}[.)])\s+"
)
_GIVES_UP = re.compile(
    r"\b(?:cannot|can['’]t|could(?: not|n['’]t)|unable to|impossible to|not (?:possible|able) to|difficult to)"
    r" (?:be )?(?:\w+ly )?(?:determin|answer|solv|calculat|tell|see|say|find|provid|identif|know|help|process|view"
    r"|access|comput|conclu)"
    r"|\b(?:not|n['’]t|without|insufficient|lack)\b[^.]{0,40}\b(?:information|context|details|data)"
    r"|\bnone of the (?:above|options|choices)|无法|不能确定|不确定",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"\b(?:or|either|neither|nor|not|cannot|never|wrong|incorrect|see|compare|rules? out"
    r"|eliminat\w{1,5}|exclud\w{1,5}|\w{1,9}n['’]t"
    r"|at (?:least|most)|(?:more|less|fewer|greater|larger|smaller) than|(?:between|over|under|up to) [$(]?\d)\b"
    r"|[<>≠≤≥]|\\(?:ne|le|ge|lt|gt|neq|leq|geq)(?![a-z])|或|不是|不选|不[正对]|错误|排除",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"(?<=\w)(?:,? (?:because|since|whereas|while|than|compared)\b|, (?:where|who|as|with|meaning|since|not)\b"
    r"|, which (?!gives|leaves|makes|equals|means)).*"
    r"|(?<=\w),? (?:out of|(?:after|by|when|from) \w{1,20}ing)\b.*|(?<=[\w%°]) ?\((?![A-J]\))[^()]*\)"
    r"|^(?:since|because|as|if|when|given)\b[^,]*,|^\(?(?:note|hint|i hope|feel free|let me know)\b.*|^\([^()]{12,}\)$",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|has|have|had|equals?|gives?|leaves?|leaving|g[eo]ts?|makes?|totals?|totall?ing|yields?"
    r"|becomes?|obtain|needs?|costs?|reach(?:es)?|shows?|remain(?:s|ing)?)(?: (?:equal )?to)?\b"
    r"|[≈为是有个]|[:：](?!\d)|\\approx|(?<![<>=!])=",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"^as\b|\b(?:I|we|you|it|they|there|this|these)\b|不", re.IGNORECASE)
_NUMBER = re.compile(
    r"[(\[] ?[-\u2212\d][-\u2212\d., ]{1,60}[)\]]"
    r"|(?<![A-Za-z0-9_.])[-\u2212+]?(?:\\d?frac\{[^{}]{1,20}\}\{[^{}]{1,20}\}|\d*\\?sqrt\{[^{}]{1,20}\}"
    r"|(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+|:\d{1,4})?|\.\d+)"
    r"(?:\\?sqrt\{[^{}]{1,20}\}|\\?pi|/\d+)?(?: ?%| ?\\%| ?°|\^\{?\\circ\}?)?"
    r"(?: (?:thousand|million|billion|trillion|dozen|hundred)s?\b)?"
)
_WORD = re.compile(
    r"\b(?:zero|(?<!the )(?<!this )(?<!each )(?<!another )one(?= [a-z])(?! of)|two|three|four|five|six|seven|eight|nine"
    r"|ten|eleven|twelve)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_LABEL = re.compile(
    r"\b(?:step|fig(?:ure|\.)?|table|image|page|question|hint|equation|case|line|row|column|part|model|no\.)[ #]*$",
    re.IGNORECASE,
)
_LETTER = re.compile(
    r"\(([A-J])\)|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Ll]etter) ?\(?([A-J])\b"
    r"|(?<![A-Za-z0-9_'’])([A-J])(?:[):：]|[.]?$|项|选项|(?=正确|是正确))"
)
_LIST = re.compile(r"\[[^\[\]\n]{1,200}\]")
_JOINT = re.compile(
    r"\s*(?:or|and|to|[-,+*x/\u2013×÷]|\\times|\\cdot|(?:feet|foot|ft|hours?|h|minutes?|years?|pounds?)(?: and|,)?)\s*"
)
_YES = re.compile(r"^\W*(yes|no|true|false)\b", re.IGNORECASE)


def last_answer(text: str, example: Example | None) -> str | None:
    """The last readable answer in prose.

    Returns:
        The answer; empty if the prose gives up or hedges; None if it has no candidate.
    """
    candidates = _candidates(example)
    for sentence in _sentences(text):
        if _GIVES_UP.search(sentence) or sentence.endswith("?"):
            return ""
        plain = _REMARK.sub("", sentence)
        for part in (plain, sentence) if plain else ():
            found, said = candidates(part)
            if found:
                return found[0] if len(set(found)) == 1 and not _HEDGE.search(said) else ""
    return None


def is_bare(line: str, example: Example | None) -> bool:
    """True if a line is nothing but an answer: a choice of the question, or short and no sentence."""
    if not 0 < len(line) <= BARE or "\n" in line:
        return False
    if example is not None and line.rstrip(".").lower() in {choice.rstrip(".").lower() for choice in example.choices}:
        return True
    said = _MARKUP.sub("", line)
    of_figure = any(is_of_figure(said, letter.start()) for letter in _LETTER.finditer(said))
    labelled = any(_LABEL.search(said[: number.start()]) for number in _NUMBER.finditer(said))
    is_sentence = any(pattern.search(said) for pattern in (_VERB, _SUBJECT, _HEDGE, _GIVES_UP)) or said.endswith("?")
    return not (of_figure or labelled or is_sentence)


def _sentences(text: str) -> Iterator[str]:
    """The sentences, the last first, without marks and enumerators."""
    for sentence in _END.split(text[-LONGEST:])[: -_SENTENCES - 1 : -1]:
        if plain := _MARKUP.sub("", sentence).strip():
            yield plain.rstrip(" .。!")


def _candidates(example: Example | None) -> Callable[[str], Candidates]:
    if example is None or not (example.choices or example.answer_type):
        return lambda part: _first(part, _letters, _yes_no, _value, _numbers)
    if choices := example.choices:
        return lambda part: _of_choices(part, choices)
    by_type = {"yes_no": _yes_no, "list": _lists, "choice": _letters}
    return by_type.get(example.answer_type or "", _numbers)


def _first(part: str, *kinds: Callable[[str], Candidates]) -> Candidates:
    return next((found for kind in kinds if (found := kind(part))[0]), NONE)


def _letters(part: str) -> Candidates:
    found = [
        next(filter(None, each.groups())) for each in _LETTER.finditer(part) if not is_of_figure(part, each.start())
    ]
    return found, part


def _lists(part: str) -> Candidates:
    return _LIST.findall(part), part


def _yes_no(part: str) -> Candidates:
    found = _YES.match(part)
    return ([found[1]], found.group()) if found else NONE


def _of_choices(part: str, choices: tuple[str, ...]) -> Candidates:
    """The letters of the choices that a sentence names, by letter, else by content; else the value of one."""
    rest = _contents(part, choices, shortest=2)[1]  # "sample A" is no letter
    if known := [letter for letter in _letters(rest)[0] if ord(letter) - ord("A") < len(choices)]:
        return known, rest
    if (agreed := _yes_no(part))[0] and agreed[0][0].lower() in {choice.lower() for choice in choices}:
        return agreed
    tail = part[max((verb.start() for verb in _VERB.finditer(part)), default=0) :]
    for said in (tail, part):
        if (named := _contents(said, choices))[0]:
            return named
    numbers, said = _numbers(part)
    values = {value.group().strip() for choice in choices for value in _NUMBER.finditer(choice)}
    return [number for number in numbers if number in values], said


def _contents(part: str, choices: tuple[str, ...], shortest: int = 1) -> Candidates:
    """The letters of the choices whose contents are in a text, and its rest; one within a longer one does not count."""
    found = []
    for choice in sorted(choices, key=len, reverse=True):
        if len(content := choice.strip(" .")) >= shortest:
            flags = re.IGNORECASE if len(content) > 1 else re.NOFLAG
            part, times = re.subn(rf"(?<![\w.]){re.escape(content)}(?!\w|\.\d)", " ", part, flags=flags)
            found += [chr(ord("A") + choices.index(choice))] if times else []
    return found, part


def _value(part: str) -> Candidates:
    """What follows the last equals sign, if that is a formula without words."""
    value = part.rpartition("=")[2].strip(" .,") if "=" in part else ""
    return ([value], part) if value and not _WORDS.search(value) else NONE


def _numbers(part: str) -> Candidates:
    """The number behind the last verb or equals sign that has one, else all numbers."""
    for pattern in (_NUMBER, _WORD):
        spans = [
            each for each in pattern.finditer(part) if not _LABEL.search(part[max(0, each.start() - 12) : each.start()])
        ]
        if not spans:
            continue
        verbs = [verb for verb in _VERB.finditer(part) if verb.end() <= spans[-1].start()]
        if not verbs:
            return [each.group().strip() for each in spans], part
        behind = [each for each in spans if each.start() >= verbs[-1].end()]
        joined = len(behind) > 1 and _JOINT.fullmatch(part, behind[0].end(), behind[1].start())
        return [each.group().strip() for each in behind[: 2 if joined else 1]], part[max(0, verbs[-1].start() - 12) :]
    return NONE
