"""From judged answers to a score with its interval, and to the paired difference of two models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from openvlt.bench.stats import paired_difference, wilson
from openvlt.records import Judged, Rate, Row, Score


@dataclass(frozen=True, slots=True)
class Measured:
    """A score, and the outcome of each question it was counted from, in the benchmark's order."""

    score: Score
    outcomes: Sequence[float]


def measure(rows: Iterable[Row], stage: str, benchmark: str, scoring: str, kind: str, seconds: float) -> Measured:
    """Count a benchmark's judged answers; the denominator is every question.

    Args:
        rows: one judged answer each.
        stage: which model, such as ``grpo-1``.
        benchmark: its name.
        scoring: name under which the verdicts of the headline stand.
        kind: metadata key of the breakdown, empty for none.
        seconds: wall time of the answers.
    """
    outcomes: list[float] = []
    by_kind: defaultdict[str, list[float]] = defaultdict(list)
    unparsed, tokens = 0, 0
    for row in rows:
        (judged,) = row.judged
        outcome = _outcome(judged, scoring)
        outcomes.append(outcome)
        unparsed += judged.trace.answer is None
        tokens += judged.trace.completion_tokens
        if kind:
            by_kind[str(row.example.metadata.get(kind, ""))].append(outcome)
    n, total = len(outcomes), rate(outcomes)
    score = Score(
        stage=stage,
        benchmark=benchmark,
        accuracy=total.accuracy,
        correct=total.correct,
        n=n,
        ci95=total.ci95,
        by_kind={name: rate(values) for name, values in sorted(by_kind.items())},
        unparsed=unparsed / n if n else 0.0,
        mean_tokens=tokens / n if n else 0.0,
        seconds=seconds,
    )
    return Measured(score, outcomes)


def versus(measured: Measured, others: Mapping[str, Measured]) -> Measured:
    """Add the paired difference to each of the others, on the same questions."""
    differences = {}
    for name, other in others.items():
        found = paired_difference(other.outcomes, measured.outcomes)
        differences[name] = (found.difference, found.low, found.high)
    return Measured(replace(measured.score, versus=differences), measured.outcomes)


def rate(outcomes: Sequence[float]) -> Rate:
    """How many of how many, with the 95 % Wilson interval."""
    correct, n = round(sum(outcomes)), len(outcomes)
    return Rate(accuracy=correct / n if n else 0.0, correct=correct, n=n, ci95=wilson(correct, n))


def _outcome(judged: Judged, scoring: str) -> float:
    return 1.0 if judged.verdicts[scoring].status == "correct" else 0.0
