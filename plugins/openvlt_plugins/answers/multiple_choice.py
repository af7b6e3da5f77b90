"""Multiple choice: a letter, a letter with its content, or the content alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from openvlt import Claim, Verdict
from openvlt_plugins.answers.clock import Time, is_moment
from openvlt_plugins.answers.comparison import Policy
from openvlt_plugins.answers.grammar.limits import LETTERS
from openvlt_plugins.answers.letters import (
    ALL_LETTERS,
    NAMED,
    ONLY_LETTERS,
    RUN,
    TURN,
    glued,
    marked,
    named_last,
    without_lead_in,
)
from openvlt_plugins.answers.reading import TieredVerifier, decide
from openvlt_plugins.answers.remarks import cores
from openvlt_plugins.answers.wording import folded, squeezed, without_markup
from openvlt_plugins.answers.words import plain

_QUOTED = re.compile(r"(['\"])([^'\"]*)\1")
_PLAIN = re.compile(r"\(?[A-Z][.)]*")


def letters_of(text: str) -> str:
    """The letters of a text that contains only letters and separators: ``"(A), B"`` gives ``"AB"``."""
    text = _unquoted(text) if len(text) <= LETTERS else ""
    if ONLY_LETTERS.fullmatch(text):
        return "".join(sorted({letter.upper() for letter in ALL_LETTERS.findall(text)}))
    return ""


@dataclass(frozen=True)
class Choice(TieredVerifier):
    """One of several choices.

    Accepts the letter in any notation (``B``, ``(B)``, ``b.``, ``Option B``, ``\\text{B}``), the letter with its
    content or a reason after it, the content with its letter after it (``15 (B)``), and the content alone if the
    choices are known and it fits only one of them: the same text, else the same words, else the same value. A gold may
    be a letter, a content, or several letters, all of which must be named.

    Refuses answers that name another choice too, by letter or content, that retract (``(B) is eliminated``) or choose
    anew (``B. I pick A``) behind the letter, and contents that two choices share once case and spaces are ignored.
    """

    def decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        choices = claim.example.choices
        gold = _gold_letters(claim.example.answer, choices)
        if not gold:
            return Verdict.bad_gold(f"the gold {claim.example.answer!r} is none of the choices")
        if len(gold) > 1 and RUN.fullmatch(without_markup(answer)):
            answer = ", ".join(without_markup(answer))
        reader = _Reader(claim, self.policy(claim, precision=None, margin=0.0, brackets="exact"), deep)
        given = reader.letters(answer)
        if given == "":
            given = next(
                (letters for (core, *rest) in cores(answer) if not rest and (letters := reader.beside(core, answer))),
                "",
            )
        if given is None:
            return None
        if not given:
            return Verdict.incorrect("names none of the choices", tier="choice")
        if len(given) == 1 and len(gold) == 1 and given != gold and _same_content(given, gold, choices):
            return Verdict.correct("another letter with the same content", tier="choice")
        if given == gold:
            return Verdict.correct(f"names {given}", tier="choice")
        return Verdict.incorrect(f"names {', '.join(given)}", tier="choice")


@dataclass(frozen=True)
class _Reader:
    """Finds the choices that an answer names."""

    claim: Claim
    policy: Policy
    deep: bool

    @property
    def choices(self) -> tuple[str, ...]:
        return self.claim.example.choices

    def letters(self, answer: str) -> str | None:
        """Letters of the choices named; empty if none is, or if they cannot be told; None if that is undecided."""
        text = _unquoted(answer)
        verbatim = self._verbatim(text)
        if verbatim and not _PLAIN.fullmatch(text):
            return verbatim[0]
        short = without_lead_in(text)
        found = marked(short)
        if (own := found or glued(short)) and (content := own[1].strip()):
            exact = self._verbatim(content)
            if own[0] in exact or (not exact and self._is_own(own[0], content)):
                return own[0]
            if found and exact:
                return ""
        if letters := letters_of(short):
            by_content = _by_words(short, self.choices)
            if by_content and len(letters) != 1:
                return by_content
            return "" if len(letters) > 1 and re.search(r"\bor\b", short, re.IGNORECASE) else letters
        if found:
            return self._with_rest(*found)
        if found := named_last(short):
            letter, content = found
            given = self._by_content(content)
            return self._with_rest(letter, content) if given == "" else given if given in {letter, None} else ""
        return self._by_content(short)

    def beside(self, core: str, answer: str) -> str | None:
        """The letter of the part of an answer that counts, if the rest of it names no other choice."""
        letters = self.letters(core)
        rest = answer.partition(core)[2]
        return self._with_rest(letters, rest) if letters and len(letters) == 1 else letters

    def _verbatim(self, text: str) -> str:
        """The letters of the choices with exactly this text."""
        return "".join(_letter(i) for i, choice in enumerate(self.choices) if without_markup(choice) == text)

    def _with_rest(self, letter: str, rest: str) -> str:
        """The letter, if what is written beside it is its content or a reason; empty if it denies or chooses anew."""
        if not rest.strip():
            return letter
        rest = self._without_own(letter, rest)
        if TURN.search(rest):
            return ""
        value = self._by_content(rest) if len(rest) <= LETTERS else ""
        named = {name.upper() for names in NAMED.findall(rest) for name in names if name}
        return "".join(sorted({letter, *letters_of(rest), *named, *self._contents_in(rest, letter), *(value or "")}))

    def _is_own(self, letter: str, text: str) -> bool:
        index = ord(letter) - ord("A")
        bare = text[1:-1] if text[0] + text[-1] == "()" else text
        return index < len(self.choices) and squeezed(self.choices[index]) in {squeezed(text), squeezed(bare)}

    def _without_own(self, letter: str, rest: str) -> str:
        """What follows the letter's own content, if the text begins with it."""
        index = ord(letter) - ord("A")
        own = without_markup(self.choices[index]) if index < len(self.choices) else ""
        begins = bool(own) and rest.casefold().startswith(own.casefold())
        return rest[len(own) :] if begins and not rest[len(own) : len(own) + 1].isalnum() else rest

    def _contents_in(self, text: str, letter: str) -> set[str]:
        """The letters of the other choices whose content a text contains, besides that of `letter`."""
        index = ord(letter) - ord("A")
        text = folded(text)
        if index < len(self.choices) and (own := folded(self.choices[index])):
            text = re.sub(rf"(?<![\w.]){re.escape(own)}(?!\w)", " ", text)
        words = {_letter(i): folded(each) for i, each in enumerate(self.choices) if i != index and folded(each)}
        return {other for other, word in words.items() if re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.]*\w)", text)}

    def _by_content(self, text: str) -> str | None:
        alike = _alike(text, self.choices)
        return _told_apart(alike, self.choices) if alike else self._by_value(text)

    def _by_value(self, answer: str) -> str | None:
        """The choice whose content has the answer's value: empty if none or several do; None if undecided."""
        found, undecided = "", False
        for index, choice in enumerate(self.choices):
            item = replace(self.claim, example=replace(self.claim.example, answer=choice, unit=None))
            verdict = (
                Time().check(answer, item) if is_moment(choice) else decide(answer, item, self.policy, deep=self.deep)
            )
            if verdict is None:
                undecided = True
            elif verdict.status == "correct":
                found += _letter(index)
        if undecided:
            return None
        return found if len(found) == 1 or _all_same(found, self.choices) else ""


def _unquoted(text: str) -> str:
    """The text without markup and without pairs of quotes; a single one may be a prime."""
    return " ".join(_QUOTED.sub(r"\2", without_markup(text)).split())


def _letter(index: int) -> str:
    return chr(ord("A") + index)


def _gold_letters(gold: str, choices: tuple[str, ...]) -> str:
    for same in (str, without_markup):
        if exact := [_letter(i) for i, choice in enumerate(choices) if same(choice) == same(gold)]:
            return exact[0]
    if by_words := _by_words(gold, choices):
        return by_words
    letters = letters_of(gold)
    if not letters and RUN.fullmatch(without_markup(gold)):
        letters = "".join(sorted(without_markup(gold)))
    if letters and (not choices or ord(letters[-1]) - ord("A") < len(choices)):
        return letters
    found = None if letters else marked(without_markup(gold).strip())
    return found[0] if found else ""


def _by_words(text: str, choices: tuple[str, ...]) -> str:
    """The one choice with the same text once case, spaces and articles are ignored; empty if several have it."""
    return _told_apart(_alike(text, choices), choices)


def _alike(text: str, choices: tuple[str, ...]) -> str:
    """The letters of the choices with the same text once case, spaces and articles are ignored."""
    for same in (squeezed, plain):
        if found := "".join(_letter(i) for i, choice in enumerate(choices) if same(choice) == same(text)):
            return found
    return ""


def _told_apart(letters: str, choices: tuple[str, ...]) -> str:
    return letters[0] if _all_same(letters, choices) else ""


def _all_same(letters: str, choices: tuple[str, ...]) -> bool:
    return all(_same_content(letters[0], letter, choices) for letter in letters) if letters else False


def _same_content(one: str, other: str, choices: tuple[str, ...]) -> bool:
    first, second = ord(one) - ord("A"), ord(other) - ord("A")
    return max(first, second) < len(choices) and without_markup(choices[first]) == without_markup(choices[second])
