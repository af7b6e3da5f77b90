"""Answers that are words: yes and no, and short texts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from openvlt import AnswerVerifier, Claim, Verdict
from openvlt_plugins.answers.grammar.limits import CHARACTERS
from openvlt_plugins.answers.wording import folded, without_lead_in

_TRUTH = {"yes": True, "true": True, "no": False, "false": False}
_FIRST = re.compile(r"(yes|no|true|false)(?![\w'-])(.*)", re.DOTALL)
_OTHER = re.compile(r"[\s,/;]*(?:or|and|&|/|,)?[\s,]*(yes|no|true|false)(?![\w'-])")
_HEDGE = re.compile(r"\s*(?:or|/)(?![a-z])")
_ARTICLE = re.compile(r"^(?:an?|the) ")


def truth(text: str) -> bool | None:
    """What a text says that begins with yes, no, true or false; None if it begins with none, or names both."""
    found = _FIRST.match(without_lead_in(folded(text)))
    if not found:
        return None
    value, rest = _TRUTH[found.group(1)], found.group(2)
    if _HEDGE.match(rest):
        return None
    other = _OTHER.match(rest)
    return None if other and _TRUTH[other.group(1)] != value else value


@dataclass(frozen=True)
class YesNo(AnswerVerifier):
    """Yes or no. The first word decides, so "No, because ..." is no.

    Accepts yes and true, no and false as the same, in any case, with "The answer is" before and reasons after. Refuses
    what does not begin with one of them ("Not sure") and what names both ("yes or no").
    """

    def check(self, answer: str, claim: Claim) -> Verdict:
        gold = truth(claim.example.answer)
        if gold is None:
            return Verdict.bad_gold(f"the gold {claim.example.answer!r} is neither yes nor no")
        said = truth(answer[:CHARACTERS])
        if said is None:
            return Verdict.incorrect("says neither yes nor no", tier="text")
        return Verdict.correct("", tier="text") if said == gold else Verdict.incorrect("says the opposite", tier="text")

    quick = check


@dataclass(frozen=True)
class Text(AnswerVerifier):
    """Words: the same text once case, white space, quotes, LaTeX dress and closing punctuation are folded.

    Accepts a leading article and "The answer is" on either side. Refuses everything else: there is no partial credit
    and a part of the gold is not the gold ("mon" is not "monday").
    """

    def check(self, answer: str, claim: Claim) -> Verdict:
        if len(answer) > CHARACTERS + len(claim.example.answer):
            return Verdict.unparsed(f"over the limits: longer than {CHARACTERS} characters", self.range[0])
        gold, said = _bare(claim.example.answer), _bare(answer)
        if not gold:
            return Verdict.bad_gold("the gold is empty")
        if said == gold or said.replace(" ", "") == gold.replace(" ", ""):
            return Verdict.correct("the same words", tier="text")
        return Verdict.incorrect("other words", tier="text")

    quick = check


def _bare(text: str) -> str:
    text = without_lead_in(folded(text))
    return _ARTICLE.sub("", text) or text
