"""Lists: the same number of items, each equal, in order or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from openvlt import Claim, Verdict
from openvlt_plugins.answers.comparison.compare import all_matched, every
from openvlt_plugins.answers.comparison.policy import Order
from openvlt_plugins.answers.grammar.limits import ITEMS
from openvlt_plugins.answers.reading import TieredVerifier, decide
from openvlt_plugins.answers.wording import closes_at_end, without_lead_in, without_markup, without_subject

_AND = re.compile(r"\s*(?:;|\n|,?\s+and\s+|,\s+(?=\d{3}\b)|,(?!\d{3}(?:\D|$))|,(?=\d{3},))\s*")
_FENCE = re.compile(r"```[A-Za-z]{0,10}\n(.*)```", re.DOTALL)
_BULLET = re.compile(r"\s{0,9}(?:[*\u2022]\s+|-\s+(?=\D)|(\d{1,2})[.)]\s+)(?=\S)")
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class List(TieredVerifier):
    """A list: all of the gold's items and no others.

    Accepts any brackets or none, commas, semicolons and "and" between items, quotes around words, and any spelling of
    an item that ``math`` accepts. Refuses missing and additional items, and, unless the order is free, another order.
    """

    order: Order = "fixed"

    def decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        golds = items(claim.example.answer)
        if not golds:
            return Verdict.bad_gold("the gold list is empty")
        givens = items(answer)
        if len(givens) != len(golds):
            return Verdict.incorrect(f"{len(givens)} items, not {len(golds)}", tier="structure")
        if self.order == "free" and len(golds) <= ITEMS:
            truth = all_matched([[self._same(gold, given, claim, deep=deep) for given in givens] for gold in golds])
        else:
            pairs = zip(golds, givens, strict=True)
            truth = every(self._same(gold, given, claim, deep=deep) for gold, given in pairs)
        if truth is None:
            return None
        if truth:
            return Verdict.correct("the same items", tier="structure")
        return Verdict.incorrect("other items", tier="structure")

    def _same(self, gold: str, given: str, claim: Claim, *, deep: bool) -> bool | None:
        item = replace(claim, example=replace(claim.example, answer=gold))
        verdict = decide(given, item, self.policy(claim), deep=deep)
        return None if verdict is None else verdict.status == "correct"


def items(text: str) -> Sequence[str]:
    """The items of a list however it is written; brackets within an item hold it together."""
    if fence := _FENCE.fullmatch(text.strip()):
        text = fence[1]
    text = _without_bullets(text)
    text = (
        without_markup(without_subject(without_lead_in(text)).strip().replace("\n", "; "))
        .replace("\\{", "{")
        .replace("\\}", "}")
        .strip()
        .rstrip(".")
    )
    if text and text[0] in _OPENING and text[-1] in _CLOSING and closes_at_end(text, _OPENING, _CLOSING):
        text = text[1:-1]
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in _OPENING) - (character in _CLOSING)
        if depth == 0 and character in " ,;\n" and position >= start and (found := _AND.match(text, position)):
            parts.append(text[start:position])
            start = found.end()
    parts.append(text[start:])
    return [part.strip().strip("'\"").strip() for part in parts if part.strip()]


def _without_bullets(text: str) -> str:
    """The lines of a Markdown list without its marks; any other text unchanged."""
    lines = [line for line in text.split("\n") if line.strip()]
    marks = [_BULLET.match(line) for line in lines]
    numbers = [mark[1] and int(mark[1]) for mark in marks if mark]
    if len(numbers) < max(2, len(lines)) or numbers not in ([None] * len(lines), [*range(1, len(lines) + 1)]):
        return text
    return "\n".join(line[mark.end() :] for line, mark in zip(lines, marks, strict=True) if mark)
