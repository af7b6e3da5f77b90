"""Answers in words: yes and no, and short texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from openvlt import AnswerVerifier, Claim, Verdict
from openvlt_plugins.answers.formulas import formula
from openvlt_plugins.answers.grammar.limits import CHARACTERS
from openvlt_plugins.answers.ordinals import ordinal
from openvlt_plugins.answers.wording import folded, without_lead_in, without_subject

_TRUTH = {"yes": True, "true": True, "no": False, "false": False}
_FIRST = re.compile(r"(yes|no|true|false)(?![\w'])(.*)", re.DOTALL)
# What may follow the word without a pause: "no idea" and "no solution" are not answers, nor is "Yes? I doubt it".
_GOES_ON = re.compile(
    r"\s*\??$|\s*[^\w\s/&?]|\s+(?:because|since|as|for|it|they|he|she|we|you|i|this|that|these|those|there|the|not)(?!\w)"
)
_OPPOSITE = {"yes": "no", "no": "yes", "true": "false", "false": "true"}
_SECOND = re.compile(r"[\s,/;.:-]*(?:or|and|&|/|,)?[\s,]*(yes|no|true|false)(?![\w'-])")
_AND = re.compile(r",?\s+(?:and|&)\s+")
_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
_ARTICLE = re.compile(r"^(?:an?|the) ")


def truth(text: str) -> bool | None:
    """The meaning of a text that begins with yes, no, true or false; None if it begins with none or names both."""
    found = _FIRST.match(without_lead_in(folded(text)))
    if not found:
        return None
    word, rest = found.groups()
    second = _SECOND.match(rest)
    opposite = second is not None and _TRUTH[second[1]] != _TRUTH[word] and _GOES_ON.match(rest, second.end())
    if opposite or not _GOES_ON.match(rest):
        return None
    if re.search(rf"\bnot really\b|(?<!\w){_OPPOSITE[word]} (?:if|instead|is the)\b", rest):
        return None
    retracted = re.search(rf"(?<!not )(?<!\w){_OPPOSITE[word]}(?=\s*(?:[.,;:!?)\]`]|$))", rest)
    return None if retracted else _TRUTH[word]


@dataclass(frozen=True)
class YesNo(AnswerVerifier):
    """Yes or no. The first word decides, so "No, because ..." is no.

    Accepts yes and true, no and false as equal, in any case, with "The answer is" before and reasons after. Refuses an
    answer that does not begin with one of them ("Not sure"), that continues it to a phrase ("No idea"), or that gives
    both ("yes or no", "Yes. No.").
    """

    version: ClassVar[str] = "5"
    inline: ClassVar[bool] = True
    context_free: ClassVar[bool] = True

    def check(self, answer: str, claim: Claim) -> Verdict:
        gold = truth(claim.example.answer)
        if gold is None:
            return Verdict.bad_gold(f"the gold {claim.example.answer!r} is neither yes nor no")
        given = truth(answer[:CHARACTERS])
        if given is None:
            return Verdict.incorrect("neither yes nor no", tier="text")
        return Verdict.correct("", tier="text") if given == gold else Verdict.incorrect("the opposite", tier="text")

    quick = check


@dataclass(frozen=True)
class Text(AnswerVerifier):
    """Words: the same text, stripped of LaTeX and Markdown, case, white space, quotes and closing punctuation.

    Accepts a leading article, "The answer is", and a hyphen or "and" for the space or comma between words. Refuses
    everything else: there is no partial credit and a part of the gold is not the gold ("mon" is not "monday").
    """

    version: ClassVar[str] = "4"
    inline: ClassVar[bool] = True
    context_free: ClassVar[bool] = True

    def check(self, answer: str, claim: Claim) -> Verdict:
        if len(answer) > CHARACTERS + len(claim.example.answer):
            return Verdict.unparsed(f"over the limits: longer than {CHARACTERS} characters", self.range[0])
        if (number := ordinal(claim.example.answer)) is not None:
            same = ordinal(answer) == number or answer.strip(" .") == str(number)
            return Verdict.correct("the same rank", tier="text") if same else Verdict.incorrect("another", tier="text")
        if (wanted := formula(claim.example.answer)) is not None:
            same = formula(without_lead_in(answer)) == wanted
            return (
                Verdict.correct("the same formula", tier="text") if same else Verdict.incorrect("another", tier="text")
            )
        gold, given = plain(claim.example.answer), plain(answer)
        if not gold:
            return Verdict.bad_gold("the gold is empty")
        if given == gold or given.replace(" ", "") == gold.replace(" ", ""):
            return Verdict.correct("the same words", tier="text")
        return Verdict.incorrect("other words", tier="text")

    quick = check


def plain(text: str) -> str:
    """The folded text without article and lead-in; hyphens and "and" between words are spaces and commas."""
    text = _HYPHEN.sub(" ", _AND.sub(", ", without_subject(without_lead_in(folded(text)))))
    return _ARTICLE.sub("", text) or text
