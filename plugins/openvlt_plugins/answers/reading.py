"""Decides whether an answer is equal to a gold in any of the ways the two can be read."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass, field, fields
from functools import lru_cache
from math import inf
from typing import Any, ClassVar

from openvlt import AnswerVerifier, Claim, Verdict
from openvlt_plugins.answers.budget import QUICK, Exhausted, at_most, spend
from openvlt_plugins.answers.comparison import Comparison, Policy
from openvlt_plugins.answers.comparison.compare import any_of, every
from openvlt_plugins.answers.comparison.policy import Margin, Nouns, Percent, RoundedGold, Unevaluated, Units
from openvlt_plugins.answers.comparison.shapes import is_unevaluated
from openvlt_plugins.answers.grammar import TooLarge, Unreadable, parse
from openvlt_plugins.answers.grammar.limits import CHARACTERS
from openvlt_plugins.answers.grammar.tree import Node, Num, Quantity
from openvlt_plugins.answers.remarks import cores
from openvlt_plugins.answers.values.exact import rational
from openvlt_plugins.answers.wording import without_lead_in, without_markup

_WORD = re.compile(r"[^\W\d_]+")
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?!\d)")
_SPACED_GROUPS = re.compile(r"[-\u2212]?[1-9]\d{0,2}(?:[,;] ?\d{3})+")


@dataclass(frozen=True)
class TieredVerifier(AnswerVerifier):
    """An answer verifier with one rule for both of its steps: only `check` may use the symbolic tier.

    Its options are those of every comparison, so that a verifier passes them all on to those it relies on.
    """

    version: ClassVar[str] = "6"
    inline: ClassVar[bool] = True
    imports: ClassVar[tuple[str, ...]] = ("mpmath",)

    units: Units = "convert"
    percent: Percent = "lenient"
    rounded_gold: RoundedGold = False
    unevaluated: Unevaluated = "accept"
    nouns: Nouns = "any"
    margin: Margin = field(default=0.0, metadata={"added": True})

    @property
    def context_free(self) -> bool:  # type: ignore[override]  # nouns may be those of the question, a margin the row's
        return self.nouns == "any" and not isinstance(self.margin, str)

    @property
    def shared(self) -> dict[str, Any]:
        """The options of every comparison."""
        return {option.name: getattr(self, option.name) for option in fields(TieredVerifier)}

    def policy(self, claim: Claim, **own: Any) -> Policy:
        """How strict a comparison is, by the shared options and those of this verifier."""
        example = claim.example
        texts = (example.answer, example.unit or "", example.question) if self.nouns == "known" else ()
        known = frozenset(word.removesuffix("s") for text in texts for word in _WORD.findall(text.casefold()))
        margin = _stated(example.metadata.get(self.margin)) if isinstance(self.margin, str) else self.margin
        return Policy(**{"precision": example.precision, "known": known, **self.shared, "margin": margin, **own})

    @abstractmethod
    def decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        """The verdict; None, if `deep` is False, where only the symbolic tier could tell."""

    def quick(self, answer: str, claim: Claim) -> Verdict | None:
        # Before anything looks at the answer: what is linear in its length is bounded with it.
        if len(answer) > CHARACTERS:
            return self.too_long()
        try:
            with at_most(QUICK):
                return self.decide(answer, claim, deep=False)
        except Exhausted:
            return None

    def check(self, answer: str, claim: Claim) -> Verdict:
        verdict = self.decide(answer, claim, deep=True) if len(answer) <= CHARACTERS else self.too_long()
        return verdict or Verdict.incorrect("could not be shown to be equal", tier="symbolic")

    def too_long(self) -> Verdict:
        """The verdict on an answer over the limit on characters."""
        return Verdict.unparsed(f"over the limits: longer than {CHARACTERS} characters", self.range[0])


def _stated(margin: Any) -> float:
    """The margin that a row states, the first of several (``1e-1,1e-2``); 0 if it states none."""
    try:
        value = float(str(margin).partition(",")[0])
    except ValueError:
        return 0.0
    return value if 0 < value < inf else 0.0


@lru_cache(maxsize=8192)
def _read(text: str, thousands: bool) -> Node | TooLarge | Unreadable:
    spend(len(text))
    try:
        return parse(text, thousands=thousands)
    except (TooLarge, Unreadable) as error:
        return error.with_traceback(None)


def read(text: str, *, thousands: bool = True) -> Node:
    """Read an answer; recent ones are cached.

    Raises:
        TooLarge, Unreadable: see `parse`.
    """
    found = _read(text, thousands) if len(text) <= CHARACTERS else TooLarge(f"longer than {CHARACTERS} characters")
    if isinstance(found, Exception):
        raise found
    return found


def decide(answer: str, claim: Claim, policy: Policy, *, deep: bool, lowest: float = 0.0) -> Verdict | None:
    """Compare an answer with the gold as mathematics.

    Args:
        answer: the extracted answer.
        claim: has the gold and its unit.
        policy: how strict to be.
        deep: whether the symbolic tier may be used.
        lowest: score of an answer that exceeds a limit.

    Returns:
        The verdict; None if only the symbolic tier could tell and `deep` is False.
    """
    gold_text = claim.example.answer
    spend(10 + len(answer) // 4)
    if not gold_text.strip():
        return Verdict.bad_gold("the gold is empty")
    if len(gold_text) + len(answer) < CHARACTERS and without_markup(answer) == without_markup(gold_text):
        return Verdict.correct("the same text", tier="text")
    try:
        gold = with_unit(read(gold_text), claim.example.unit)
        rational(gold.value if isinstance(gold, Quantity) else gold)
    except (TooLarge, Unreadable) as error:
        return Verdict.bad_gold(f"the gold cannot be read: {error}")
    comparison = Comparison(policy, deep=deep)
    try:
        truth = _any_reading(comparison, gold, gold_text, answer, claim.example.unit)
    except TooLarge as error:
        return Verdict.unparsed(f"over the limits: {error}", lowest)
    except Unreadable as error:
        return Verdict.incorrect(f"cannot be read: {error}", tier="text")
    if truth is None:
        return None
    tier = comparison.tier
    return Verdict.correct("equal", tier=tier) if truth else Verdict.incorrect("not equal", tier=tier)


def with_unit(gold: Node, unit: str | None) -> Node:
    """The gold with the unit its example states, unless it has one itself."""
    if not unit or isinstance(gold, Quantity):
        return gold
    try:
        found = read(f"1 {unit}") if unit not in {"$", "\\$"} else read("\\$1")
    except (TooLarge, Unreadable):
        return gold
    return Quantity(gold, found.unit) if isinstance(found, Quantity) else gold


def _any_reading(comparison: Comparison, gold: Node, gold_text: str, answer: str, unit: str | None) -> bool | None:
    """True if the answer is right as it is or without a remark, None if that is undecided."""
    answer = without_lead_in(answer)
    truths: list[bool | None] = []
    for texts in ((answer,), *cores(answer)):
        try:
            truths.append(every([_any_commas(comparison, gold, gold_text, text, unit) for text in texts]))
        except Unreadable:
            if len(texts) == 1 and texts[0] == answer and next(cores(answer), None) is None:
                raise
        if truths and truths[-1]:
            return True
    return any_of(truths)


def _any_commas(comparison: Comparison, gold: Node, gold_text: str, answer: str, unit: str | None) -> bool | None:
    """True if the answer is right in any reading of the commas between digits, None if that is undecided."""
    tree = read(answer)
    if comparison.policy.unevaluated == "refuse" and tree != gold and is_unevaluated(tree):
        return False
    truths = [comparison.same(gold, tree)]
    if truths[0] is not True and (_AMBIGUOUS.search(gold_text) or _AMBIGUOUS.search(answer)):
        truths.append(comparison.same(with_unit(read(gold_text, thousands=False), unit), read(answer, thousands=False)))
    for node, text in ((gold, answer), (tree, gold_text)):
        # "32, 349" may be the number 32349, but only if it is compared with a number.
        if _SPACED_GROUPS.fullmatch(text.strip()) and isinstance(node, Num):
            truths.append(comparison.same(node, read(re.sub("[,; ]", "", text))))
    return any_of(truths)
