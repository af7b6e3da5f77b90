"""Counts judged rows: accuracy with its interval, what failures of ours leave open, and the breakdowns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from openvlt.bench.stats import cluster_bootstrap, wilson
from openvlt.interfaces import Benchmark
from openvlt.records import Example, Row, Verdict

OPEN_SHARE = 0.01
"""Share of verdicts that failed for reasons of ours or of the gold, above which there is no headline number."""


def tally(benchmark: Benchmark, rows: Sequence[Row], scoring: str) -> dict[str, Any]:
    """Count one scoring.

    Returns:
        ``accuracy`` (None above `OPEN_SHARE`), ``correct``, ``n`` (all questions), ``ci95`` (Wilson; cluster bootstrap
        where questions share an image or a problem), ``bounds`` (lowest and highest accuracy, whatever the undecided
        ones are), ``undecided``, ``breakdown`` (key to value to the same counts) and ``tiers`` (the step of the rule
        that decided, to a count).
    """
    counted = in_score(benchmark, rows)
    clusters = [str(row.example.metadata.get(benchmark.clusters)) for row in counted] if benchmark.clusters else None
    verdicts = [verdict_of(row, scoring) for row in counted]
    figures = benchmark.aggregate([(row.example, verdict_of(row, scoring)) for row in counted])
    tiers = Counter(verdict.tier for verdict in verdicts if verdict.tier)
    return {
        **rate(verdicts, clusters),
        "breakdown": _breakdown(benchmark, rows, scoring),
        "figures": dict(figures),
        "tiers": dict(sorted(tiers.items())),
    }


def in_score(benchmark: Benchmark, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that make the score; those to be shown beside it are in it only if there are no others."""
    counted = [row for row in rows if not is_excluded(benchmark, row.example)]
    return counted or rows


def is_excluded(benchmark: Benchmark, example: Example) -> bool:
    """True if the question is shown in the breakdown, but is not part of the score."""
    return any(example.metadata.get(key) == value for key, value in benchmark.excluded_from_score.items())


def verdict_of(row: Row, scoring: str) -> Verdict:
    """The verdict of a scoring on a row."""
    (judged,) = row.judged
    return judged.verdicts[scoring]


def outcome(verdict: Verdict) -> float | None:
    """1 for correct, 0 for anything the response caused, None where nobody can tell."""
    if verdict.score is None:
        return None
    return 1.0 if verdict.status == "correct" else 0.0


def rate(verdicts: Sequence[Verdict], clusters: Sequence[Hashable] | None = None) -> dict[str, Any]:
    """How many of how many are correct; the denominator is every question."""
    outcomes = [outcome(verdict) for verdict in verdicts]
    n, undecided = len(outcomes), outcomes.count(None)
    correct = outcomes.count(1.0)
    known = [value or 0.0 for value in outcomes]
    low, high = wilson(correct, n) if clusters is None else cluster_bootstrap(known, clusters)
    return {
        "accuracy": correct / n if n and undecided <= OPEN_SHARE * n else None,
        "correct": correct,
        "n": n,
        "ci95": [low, high],
        "bounds": [correct / n, (correct + undecided) / n] if n else [0.0, 1.0],
        "undecided": undecided,
    }


def _breakdown(benchmark: Benchmark, rows: Sequence[Row], scoring: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for key in benchmark.breakdown:
        by_value: defaultdict[str, list[Verdict]] = defaultdict(list)
        for row in rows:
            for value in labels(row.example.metadata, key):
                by_value[value].append(verdict_of(row, scoring))
        if by_value:
            found[key] = {value: rate(verdicts) for value, verdicts in sorted(by_value.items())}
    return found


def labels(metadata: Mapping[str, Any], key: str) -> list[str]:
    """The values a question counts for under a key; several if the key holds a list."""
    value = metadata.get(key)
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
