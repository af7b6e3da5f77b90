"""Multiple choice: a letter, a letter with its content, or the content alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from openvlt import Claim, Verdict
from openvlt_plugins.answers.clock import Time, is_moment
from openvlt_plugins.answers.comparison import Policy
from openvlt_plugins.answers.grammar.limits import CHARACTERS, LETTERS
from openvlt_plugins.answers.reading import TieredVerifier, decide
from openvlt_plugins.answers.wording import folded, squeezed, without_markup
from openvlt_plugins.answers.words import plain

_LEAD_IN = re.compile(
    r"^(?:(?:so|therefore|thus|hence),? )?(?:(?:the|my) )?(?:(?:final|correct|right|best) )?"
    r"(?:answer|option|choice|letter)s?"
    r"(?: (?:is|would be|must be))?\s*:?\s*(?:(?:option|choice|letter)\s*:?\s*)?",
    re.IGNORECASE,
)
_TRAILER = re.compile(
    r"\s+(?:is|would be) (?:the )?(?:correct|right|best)(?: (?:answer|option|choice|one))?\.?$", re.IGNORECASE
)
_LETTERS = re.compile(
    r"[\s(\[{]*([A-Za-z])[\s)\]}.]*(?:(?:,|;|/|&|\band\b|\bor\b|\s)[\s(\[]*([A-Za-z])(?![A-Za-z])[\s)\].]*)*"
)
_RUN = re.compile(r"[A-J]{2,}")
_GLUED = re.compile(r"[(\[]?([A-Z])[)\]]?[\s.:,-]*(\S.*)", re.DOTALL)
_MARKED = re.compile(
    r"(?:[(\[]\s*([A-Za-z])\s*[)\]]|([A-Za-z])(?:\s*[.):,]|\s+[-\u2014])(?=\s|$)|([A-Za-z])(?=\s*$))"
    r"\s*[.:,\u2014-]?\s*(.*)",
    re.DOTALL,
)
# Another letter after the first: marked, joined to it, or followed or preceded by a verb.
_ALSO = re.compile(
    r"[(\[]\s*([A-Ja-j])\s*[)\]]|(?<![A-Za-z])([A-J])\s*[.):](?=\s|$)|(?<![A-Za-z])([A-J]) (?:is|are|too|also)\b"
    r"|\b(?:be|is) ([A-J])(?![A-Za-z'])"
    r"|(?:\b(?:or|and|but|nor|not|also|maybe|perhaps|rather|actually|then)\b|[,;/&])\s*([A-J])(?![A-Za-z'])"
)
_DENIED = re.compile(
    r"(?:is|was|would be|seems|looks)(?: \w+)? ?(?:not|wrong|incorrect|false|out)\b|cannot\b"
    r"|(?:is|was|ca|wo|does)n't\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|no|never|neither|wrong|incorrect|\w+n't)\b", re.IGNORECASE)
_PLAIN = re.compile(r"\(?[A-Z][.)]*")
_ALL_LETTERS = re.compile(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])")


def letters_of(text: str) -> str:
    """The letters of a text that contains only letters and separators: ``"(A), B"`` gives ``"AB"``."""
    text = without_markup(text).strip() if len(text) <= LETTERS else ""
    if _LETTERS.fullmatch(text):
        return "".join(sorted({letter.upper() for letter in _ALL_LETTERS.findall(text)}))
    return ""


@dataclass(frozen=True)
class Choice(TieredVerifier):
    """One of several choices.

    Accepts the letter in any notation (``B``, ``(B)``, ``b.``, ``Option B``, ``\\text{B}``), the letter with content
    after it (``B. 8/11``) unless that names another choice by letter or content, and the content alone if the choices
    are known and it fits only one of them. A gold may be a letter, a content, or several letters, all of which must be
    named. Refuses answers that are hedged over several options or retracted (``(B) is wrong``).
    """

    def decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        choices = claim.example.choices
        gold = _gold_letters(claim.example.answer, choices)
        if not gold:
            return Verdict.bad_gold(f"the gold {claim.example.answer!r} is none of the choices")
        if len(answer) > CHARACTERS:
            return Verdict.unparsed(f"over the limits: longer than {CHARACTERS} characters", self.range[0])
        if len(gold) > 1 and _RUN.fullmatch(without_markup(answer)):
            answer = " ".join(without_markup(answer))
        given = _named_letters(answer, choices) or _by_value(answer, claim, deep=deep)
        if given is None:
            return None
        if not given:
            return Verdict.incorrect("names none of the choices", tier="choice")
        if len(given) == 1 and len(gold) == 1 and given != gold and _same_content(given, gold, choices):
            return Verdict.correct("another letter with the same content", tier="choice")
        if given == gold:
            return Verdict.correct(f"names {given}", tier="choice")
        return Verdict.incorrect(f"names {', '.join(given)}", tier="choice")


def _letter(index: int) -> str:
    return chr(ord("A") + index)


def _gold_letters(gold: str, choices: tuple[str, ...]) -> str:
    for index, choice in enumerate(choices):
        if gold == choice or squeezed(gold) == squeezed(choice):
            return _letter(index)
    letters = letters_of(gold)
    if letters and (not choices or ord(letters[-1]) - ord("A") < len(choices)):
        return letters
    if not letters and (marked := _MARKED.match(without_markup(gold).strip())):
        return _marked_letter(marked)
    return ""


def _named_letters(answer: str, choices: tuple[str, ...]) -> str | None:
    text = without_markup(answer).strip(" '\"")
    verbatim = [
        _letter(i) for i, choice in enumerate(choices) if without_markup(choice) == text and not _PLAIN.fullmatch(text)
    ]
    if verbatim:
        return verbatim[0]
    short = _TRAILER.sub("", _LEAD_IN.sub("", text)) or text
    by_content = [_letter(i) for i, choice in enumerate(choices) if squeezed(short) == squeezed(choice)]
    if not by_content:
        same_words = [_letter(i) for i, choice in enumerate(choices) if plain(short) == plain(choice)]
        by_content = same_words if len(same_words) == 1 else []
    marked = _MARKED.match(short)
    if marked and marked.group(4) and _is_content(_marked_letter(marked), marked.group(4), choices):
        return _marked_letter(marked)
    letters = letters_of(short)
    if by_content and len(letters) != 1:
        return by_content[0]
    if letters:
        return letters
    if not marked:
        glued = _GLUED.fullmatch(short)
        return glued[1] if glued and _is_content(glued[1], glued[2], choices) else None
    letter, rest = _marked_letter(marked), marked.group(4)
    if _DENIED.match(rest) or (choices and _NOT.search(rest) and not _is_content(letter, rest, choices)):
        return ""
    also = {name.upper() for names in _ALSO.findall(rest) for name in names if name}
    return "".join(sorted({letter, *letters_of(rest), *also, *_contents_in(rest, letter, choices)}))


def _contents_in(text: str, letter: str, choices: tuple[str, ...]) -> set[str]:
    """The letters of the other choices whose content a text contains, besides that of `letter`."""
    index = ord(letter) - ord("A")
    text = folded(text)
    if index < len(choices) and (own := folded(choices[index])):
        text = text.replace(own, " ")
    words = {_letter(i): folded(choice) for i, choice in enumerate(choices) if i != index and folded(choice)}
    return {other for other, word in words.items() if re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.]*\w)", text)}


def _is_content(letter: str, text: str, choices: tuple[str, ...]) -> bool:
    index = ord(letter) - ord("A")
    return index < len(choices) and squeezed(text) == squeezed(choices[index])


def _by_value(answer: str, claim: Claim, *, deep: bool) -> str | None:
    """The choice whose content has the answer's value: empty if none or several do; None if undecided."""
    found, undecided = "", False
    for index, choice in enumerate(claim.example.choices):
        item = replace(claim, example=replace(claim.example, answer=choice, unit=None))
        verdict = Time().check(answer, item) if is_moment(choice) else decide(answer, item, Policy(), deep=deep)
        if verdict is None:
            undecided = True
        elif verdict.status == "correct":
            found += _letter(index)
    if undecided:
        return None
    return found if len(found) == 1 or _all_same(found, claim.example.choices) else ""


def _all_same(letters: str, choices: tuple[str, ...]) -> bool:
    return all(_same_content(letters[0], letter, choices) for letter in letters) if letters else False


def _marked_letter(marked: re.Match[str]) -> str:
    return (marked.group(1) or marked.group(2) or marked.group(3)).upper()


def _same_content(one: str, other: str, choices: tuple[str, ...]) -> bool:
    first, second = ord(one) - ord("A"), ord(other) - ord("A")
    return max(first, second) < len(choices) and squeezed(choices[first]) == squeezed(choices[second])
