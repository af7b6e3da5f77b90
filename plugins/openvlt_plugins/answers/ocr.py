"""Text read from an image, by its edit distance to the gold."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Interval

from openvlt import AnswerVerifier, Claim, Option, Verdict
from openvlt_plugins.answers.grading import graded
from openvlt_plugins.answers.grammar.limits import CHARACTERS

PAGE = 10_000
"""characters of a page of text, and of all golds together"""


@dataclass(frozen=True)
class Anls(AnswerVerifier):
    """The average normalised Levenshtein similarity of an answer (arXiv 1905.13648; DocVQA).

    With NL, the edit distance in characters divided by the length of the longer text, the score is ``1 - NL`` if NL is
    less than the threshold, else 0; of several golds, written as a JSON list, the nearest counts. Case and white space
    are folded.
    """

    inline: ClassVar[bool] = True
    context_free: ClassVar[bool] = True

    threshold: Annotated[float, Interval(gt=0, le=1), Option("normalised distance from which the score is 0")] = 0.5

    def check(self, answer: str, claim: Claim) -> Verdict:
        text = claim.example.answer
        golds = [_folded(gold) for gold in _golds(text)] if len(text) <= PAGE else []
        if not golds or not all(golds):
            return Verdict.bad_gold(f"the gold is empty or longer than {PAGE} characters")
        if len(answer) > CHARACTERS + len(text):
            return Verdict.unparsed(f"over the limits: longer than {CHARACTERS} characters", self.range[0])
        given = _folded(answer)
        return graded(max(self._similarity(gold, given) for gold in golds), "by edit distance", tier="text")

    quick = check

    def _similarity(self, gold: str, given: str) -> float:
        longest = max(len(gold), len(given))
        if abs(len(gold) - len(given)) >= self.threshold * longest:
            return 0.0
        far = distance(gold, given) / longest
        return 1.0 - far if far < self.threshold else 0.0


@dataclass(frozen=True)
class Wer(AnswerVerifier):
    """One minus the word error rate, at least 0.

    The rate is the edit distance in words, separated by white space, divided by the number of words of the gold; words
    are compared as they are.
    """

    inline: ClassVar[bool] = True
    context_free: ClassVar[bool] = True

    def check(self, answer: str, claim: Claim) -> Verdict:
        gold, given = claim.example.answer.split(), answer[: PAGE + 1].split()
        if not gold or len(claim.example.answer) > PAGE:
            return Verdict.bad_gold(f"the gold is empty or longer than {PAGE} characters")
        if len(answer) > PAGE:
            return Verdict.unparsed(f"over the limits: longer than {PAGE} characters", self.range[0])
        errors = distance(gold, given)
        reason = f"{errors} errors in {len(gold)} words"
        return graded(max(0.0, 1.0 - errors / len(gold)), reason, tier="text")

    quick = check


def distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Insertions, deletions and substitutions between two sequences.

    Myers' bit-parallel algorithm in the form of Hyyro (2003), with the column of the table in two integers: a step for
    each item of `b`, on numbers of as many bits as `a` has items.
    """
    if not a:
        return len(b)
    places: defaultdict[Hashable, int] = defaultdict(int)
    for place, item in enumerate(a):
        places[item] |= 1 << place
    every, last, found = (1 << len(a)) - 1, 1 << (len(a) - 1), len(a)
    up, down = every, 0
    for item in b:
        equal = places.get(item, 0)
        diagonal = (((equal & up) + up) ^ up) | equal | down
        right, left = down | ~(diagonal | up), up & diagonal
        found += bool(right & last) - bool(left & last)
        right, left = (right << 1) | 1, left << 1
        up, down = (left | ~(diagonal | right)) & every, right & diagonal & every
    return found


def _golds(text: str) -> list[str]:
    """The texts of a JSON list of texts or numbers; else the text itself."""
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list) and all(isinstance(item, str | int | float) for item in found):
        return [str(item) for item in found]
    return [text]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
