"""Lists: as many items, each equal, in order or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from openvlt import AnswerVerifier, Claim, Verdict
from openvlt_plugins.answers.comparison import Policy
from openvlt_plugins.answers.comparison.compare import any_of, every
from openvlt_plugins.answers.comparison.policy import Order
from openvlt_plugins.answers.grammar.limits import CHARACTERS, ITEMS
from openvlt_plugins.answers.reading import LAST_TIER, decide
from openvlt_plugins.answers.wording import undressed

_AND = re.compile(r"\s*(?:;|\n|,?\s+and\s+|,\s+(?=\d{3}\b)|,(?!\d{3}(?:\D|$))|,(?=\d{3},))\s*")
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class List(AnswerVerifier):
    """A list: the gold's items, all of them and no others.

    Accepts any brackets or none, commas, semicolons and "and" between items, quotes around words, and any spelling of
    an item that ``math`` accepts. Refuses missing and further items, and, unless the order is free, another order.
    """

    version: ClassVar[str] = "2"
    inline: ClassVar[bool] = True
    context_free: ClassVar[bool] = True
    imports: ClassVar[tuple[str, ...]] = LAST_TIER

    order: Order = "fixed"

    def quick(self, answer: str, claim: Claim) -> Verdict | None:
        return self._decide(answer, claim, deep=False)

    def check(self, answer: str, claim: Claim) -> Verdict:
        return self._decide(answer, claim, deep=True) or Verdict.incorrect(
            "could not be shown to be equal", tier="symbolic"
        )

    def _decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        golds = items(claim.example.answer)
        if not golds:
            return Verdict.bad_gold("the gold list is empty")
        if len(answer) > CHARACTERS:
            return Verdict.unparsed(f"over the limits: longer than {CHARACTERS} characters", self.range[0])
        saids = items(answer)
        if len(saids) != len(golds):
            return Verdict.incorrect(f"{len(saids)} items, not {len(golds)}", tier="structure")
        if self.order == "free" and len(golds) <= ITEMS:
            table = [[_same(g, s, claim, deep=deep) for s in saids] for g in golds]
            truth = every([*map(any_of, table), *(any_of(column) for column in zip(*table, strict=True))])
        else:
            truth = every(_same(g, s, claim, deep=deep) for g, s in zip(golds, saids, strict=True))
        if truth is None:
            return None
        return (
            Verdict.correct("the same items", tier="structure")
            if truth
            else Verdict.incorrect("other items", tier="structure")
        )


def items(text: str) -> Sequence[str]:
    """The items of a list in any of its dresses; brackets within an item hold it together."""
    text = undressed(text).replace("\\{", "{").replace("\\}", "}").strip().rstrip(".")
    if text and text[0] in _OPENING and text[-1] in _CLOSING and _closes_at_end(text):
        text = text[1:-1]
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in _OPENING) - (character in _CLOSING)
        if depth == 0 and (found := _AND.match(text, place)) and found.end() > place and place >= start:
            if character not in " ,;\n":
                continue
            parts.append(text[start:place])
            start = found.end()
    parts.append(text[start:])
    return [part.strip().strip("'\"").strip() for part in parts if part.strip()]


def _closes_at_end(text: str) -> bool:
    depth = 0
    for place, character in enumerate(text):
        depth += (character in _OPENING) - (character in _CLOSING)
        if depth == 0:
            return place == len(text) - 1
    return False


def _same(gold: str, said: str, claim: Claim, *, deep: bool) -> bool | None:
    item = replace(claim, example=replace(claim.example, answer=gold))
    verdict = decide(said, item, Policy(precision=claim.example.precision), deep=deep)
    return None if verdict is None else verdict.status == "correct"
