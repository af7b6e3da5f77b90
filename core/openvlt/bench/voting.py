"""Majority votes: which samples of a question give the same answer, by the verifier that scores them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from openvlt.records import Claim, Example, Judged, Trace, Verdict
from openvlt.verification import VerifierRunner

SAME = "same_as"
"""In the detail of a verdict on a wrong answer: the first sample that gives the same one."""


def majority(verdicts: Sequence[Verdict]) -> float:
    """1 if most samples of a question are right, 0 if more give the same wrong answer; of a tie, the share.

    Args:
        verdicts: on the samples, marked by `mark_equal`. Those without an answer, or undecided, do not vote.
    """
    right = sum(verdict.status == "correct" for verdict in verdicts)
    wrong = Counter(verdict.detail.get(SAME, -index) for index, verdict in enumerate(verdicts) if _is_wrong(verdict))
    most = max(wrong.values(), default=0)
    if not right or right < most:
        return 0.0
    return 1.0 if right > most else 1.0 / (1 + list(wrong.values()).count(most))


def mark_equal(runner: VerifierRunner, rows: Sequence[tuple[Example, list[Judged]]]) -> None:
    """Mark which wrong answers are equal, where that decides the vote: with no right answer, or with more right than
    wrong ones, it does not.

    Args:
        runner: of the verifiers by scoring.
        rows: questions with their judged samples, whose verdicts are replaced.
    """
    polls = [
        _Poll(example, judged, scoring, wrong)
        for example, judged in rows
        for scoring in (judged[0].verdicts if len(judged) > 1 else ())
        if (wrong := [index for index, each in enumerate(judged) if _is_wrong(each.verdicts[scoring])])
        if 0 < sum(each.verdicts[scoring].status == "correct" for each in judged) <= len(wrong)
    ]
    while polls := [poll for poll in polls if poll.waiting]:
        claims = [claim for poll in polls for claim in poll.claims()]
        verdicts = iter(runner.verdicts(claims))
        for poll in polls:
            poll.settle([[next(verdicts), next(verdicts)] for _ in poll.waiting[1:]])


@dataclass
class _Poll:
    """The wrong answers to one question by one scoring.

    Attributes:
        waiting: samples that are in no group yet; the first of them begins the next.
    """

    example: Example
    judged: list[Judged]
    scoring: str
    waiting: list[int]

    def claims(self) -> list[Claim]:
        """The first waiting answer as the gold of each other, and the other way around."""
        first, *others = self.waiting
        return [self._claim(*pair) for other in others for pair in ((first, other), (other, first))]

    def settle(self, found: Sequence[Sequence[dict[str, Verdict]]]) -> None:
        """Group the samples that equal the first; `found` has two verdicts on each other one."""
        first, *others = self.waiting
        same = [
            other
            for other, verdicts in zip(others, found, strict=True)
            if self._answer(first).strip() == self._answer(other).strip()
            or any(self.scoring in each and each[self.scoring].status == "correct" for each in verdicts)
        ]
        for index in (first, *same):
            each = self.judged[index]
            verdict = each.verdicts[self.scoring]
            marked = replace(verdict, detail={**verdict.detail, SAME: first})
            self.judged[index] = replace(each, verdicts={**each.verdicts, self.scoring: marked})
        self.waiting = [other for other in others if other not in same]

    def _claim(self, gold: int, sample: int) -> Claim:
        example = replace(self.example, answer=self._answer(gold))
        return Claim(trace=self.judged[sample].trace, example=example, group=example.id)

    def _answer(self, index: int) -> str:
        """What a verifier read as the answer, else the extracted one."""
        each = self.judged[index]
        return str(each.verdicts[self.scoring].detail.get("prediction") or _answer(each.trace))


def _answer(trace: Trace) -> str:
    return trace.raw if trace.answer is None else trace.answer


def _is_wrong(verdict: Verdict) -> bool:
    return verdict.score is not None and verdict.status not in ("correct", "unparsed", "timeout")
