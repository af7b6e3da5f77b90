"""The default verifier: routes a claim to the one that fits its answer type."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from openvlt import AnswerVerifier, Claim, Option, Verdict, tables
from openvlt_plugins.answers.clock import BARE_CLOCK, Time, is_moment, read_clock
from openvlt_plugins.answers.comparison.policy import Braces, Order
from openvlt_plugins.answers.formulas import formula
from openvlt_plugins.answers.grammar import TooLarge, Unreadable
from openvlt_plugins.answers.grammar.tree import Words
from openvlt_plugins.answers.lists import List
from openvlt_plugins.answers.math import Math
from openvlt_plugins.answers.multiple_choice import Choice, letters_of
from openvlt_plugins.answers.number import Number
from openvlt_plugins.answers.ocr import Anls
from openvlt_plugins.answers.ordinals import ordinal
from openvlt_plugins.answers.reading import TieredVerifier, read
from openvlt_plugins.answers.regions.boxes import Box
from openvlt_plugins.answers.regions.pointing import Point
from openvlt_plugins.answers.relaxed import Relaxed
from openvlt_plugins.answers.wording import folded, without_markup
from openvlt_plugins.answers.words import Text, YesNo

_BASED = re.compile(r"\d[\dA-F]{0,30}_\d{1,2}")
"""A number in another base, such as 2516_8, whose digits are compared as they are."""
_PROSE = re.compile(r"[^\W\d_]{1,40}(?:[-' ][^\W\d_]{1,40}){1,20}")
"""Words that mathematics cannot read, such as north-east."""


@dataclass(frozen=True)
class Answer(TieredVerifier):
    """Routes a claim by its answer type: ``choice``, ``yes_no``, ``integer`` and ``float`` (number), ``list``, ``text``
    (a time or date where the gold is one), ``expression`` (math), ``box``, ``point``, ``relaxed``, ``ocr`` (anls).

    Without an answer type the example decides: choices or a gold of capital letters A to J make a choice; yes, no, true
    or false make yes-no; then times and dates; then plain words; everything else is mathematics. A gold such as 8:30 is
    a time if the answer is one, else a ratio.
    """

    order: Order = "fixed"
    braces: Braces = "free"
    golds: Annotated[
        Literal["one", "any"], Option("any: each item of a gold that is a list of texts, written out, is right")
    ] = field(default="one", metadata={"added": True})

    def decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        gold = claim.example.answer
        golds = tables.literal_of(gold) if self.golds == "any" and gold.startswith(("['", '["')) else None
        if not isinstance(golds, list) or not all(isinstance(each, str) for each in golds):
            return self._decide(answer, claim, deep=deep)
        claims = (replace(claim, example=replace(claim.example, answer=each)) for each in golds)
        verdicts = [self._decide(answer, each, deep=deep) for each in claims]
        right = next((each for each in verdicts if each and each.status == "correct"), None)
        return right or (None if None in verdicts else verdicts[-1])

    def _decide(self, answer: str, claim: Claim, *, deep: bool) -> Verdict | None:
        verifier = self.route(answer, claim)
        return verifier.check(answer, claim) if deep else verifier.quick(answer, claim)

    def route(self, answer: str, claim: Claim) -> AnswerVerifier:
        """The verifier for a claim."""
        example = claim.example
        match example.answer_type:
            case "choice":
                return Choice(**self.shared)
            case "yes_no":
                return YesNo()
            case "integer" | "float":
                return Number(**self.shared)
            case "list":
                return List(**self.shared, order=self.order)
            case "text":
                return Time() if is_moment(example.answer) else Text()
            case "expression":
                return self._math()
            case "box":
                return Box()
            case "point":
                return Point()
            case "relaxed":
                return Relaxed(**self.shared)
            case "ocr":
                return Anls()
        return Choice(**self.shared) if example.choices else self._by_gold(example.answer, answer)

    def _by_gold(self, gold: str, answer: str) -> AnswerVerifier:
        letters = letters_of(gold)
        if letters and letters[-1] <= "J" and gold.isupper():
            return Choice(**self.shared)
        if folded(gold) in {"yes", "no", "true", "false"}:
            return YesNo()
        if is_moment(gold):
            return Time()
        if ordinal(gold) is not None or formula(gold) is not None or _BASED.fullmatch(without_markup(gold)):
            return Text()
        if BARE_CLOCK.fullmatch(gold.strip()) and (time := read_clock(answer)) and time.half:
            return Time()
        try:
            return Text() if isinstance(read(gold), Words) else self._math()
        except (TooLarge, Unreadable):
            return Text() if _PROSE.fullmatch(without_markup(gold)) else self._math()

    def _math(self) -> Math:
        return Math(**self.shared, order=self.order, braces=self.braces)
