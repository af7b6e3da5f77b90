"""Decides whether an answer says what a gold says, by all the ways either can be read."""

from __future__ import annotations

import re
from functools import lru_cache

from openvlt import Claim, Verdict
from openvlt_plugins.answers.comparison import Comparison, Policy
from openvlt_plugins.answers.grammar import TooLarge, Unreadable, parse
from openvlt_plugins.answers.grammar.limits import CHARACTERS
from openvlt_plugins.answers.grammar.tree import Group, Node, Num, Quantity
from openvlt_plugins.answers.values.exact import rational
from openvlt_plugins.answers.wording import undressed, without_lead_in

LAST_TIER = ("mpmath",)
"""Modules a worker imports before the clock of its first claim starts."""

_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?!\d)")
_SPACED_GROUPS = re.compile(r"[-\u2212]?[1-9]\d{0,2}(?:[,;] ?\d{3})+")


@lru_cache(maxsize=8192)
def _read(text: str, thousands: bool) -> Node | TooLarge | Unreadable:
    try:
        return parse(text, thousands=thousands)
    except (TooLarge, Unreadable) as error:
        return error.with_traceback(None)


def read(text: str, *, thousands: bool = True) -> Node:
    """Read an answer; what was read lately is remembered.

    Raises:
        TooLarge, Unreadable: see `parse`.
    """
    found = _read(text, thousands) if len(text) <= CHARACTERS else TooLarge(f"longer than {CHARACTERS} characters")
    if isinstance(found, Exception):
        raise found
    return found


def decide(answer: str, claim: Claim, policy: Policy, *, deep: bool, lowest: float = 0.0) -> Verdict | None:
    """The verdict on an answer by mathematics.

    Args:
        answer: what was extracted.
        claim: holds the gold and its unit.
        policy: how strict to be.
        deep: False leaves what needs the symbolic tier undecided.
        lowest: score of an answer that cannot be read.

    Returns:
        None if it is undecided.
    """
    gold_text = claim.example.answer
    if not gold_text.strip():
        return Verdict.bad_gold("the gold is empty")
    if len(gold_text) + len(answer) < CHARACTERS and undressed(answer) == undressed(gold_text):
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
    return (
        Verdict.correct("equal", tier=comparison.tier)
        if truth
        else Verdict.incorrect("not equal", tier=comparison.tier)
    )


def with_unit(gold: Node, unit: str | None) -> Node:
    """The gold with the unit its example states, unless it states one itself."""
    if not unit or isinstance(gold, Quantity):
        return gold
    try:
        found = read(f"1 {unit}") if unit not in {"$", "\\$"} else read("\\$1")
    except (TooLarge, Unreadable):
        return gold
    return Quantity(gold, found.unit) if isinstance(found, Quantity) else gold


def _any_reading(comparison: Comparison, gold: Node, gold_text: str, answer: str, unit: str | None) -> bool | None:
    """True if the answer is right in any reading of commas between digits, None if that is undecided."""
    answer = without_lead_in(answer)
    said = read(answer)
    truths = [comparison.same(gold, said)]
    if truths[0] is not True and (_AMBIGUOUS.search(gold_text) or _AMBIGUOUS.search(answer)):
        truths.append(comparison.same(with_unit(read(gold_text, thousands=False), unit), read(answer, thousands=False)))
    for one, other in ((gold, answer), (said, gold_text)):
        # "32, 349" may be the number 32349, but only where a number is what it is compared with.
        if _SPACED_GROUPS.fullmatch(other.strip()) and isinstance(one, Num):
            truths.append(comparison.same(one, read(re.sub("[,; ]", "", other))))
    return True if True in truths else None if None in truths else False


def is_single_number(node: Node) -> bool:
    """True if a gold is one number, with or without a unit."""
    return not isinstance(node, Group) and rational(node.value if isinstance(node, Quantity) else node) is not None
