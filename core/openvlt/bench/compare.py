"""Is B better than A? Two results, question by question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openvlt.bench.protocol import differences
from openvlt.bench.result import Result
from openvlt.bench.stats import holm, mcnemar, paired_difference
from openvlt.bench.tally import labels, outcome, verdict_of
from openvlt.errors import UsageError
from openvlt.records import Row


@dataclass(frozen=True, slots=True)
class Pair:
    """The same question in both results, with its outcomes."""

    a: Row
    b: Row
    before: float
    after: float


def compare(a: Result, b: Result, scoring: str | None = None, *, force: bool = False) -> dict[str, Any]:
    """Pair two results and say how they differ.

    Args:
        a: the first result.
        b: the second; differences are B minus A.
        scoring: which scoring; the headline of A if None.
        force: compare results of unlike protocols too.

    Returns:
        ``difference, ci95, p`` (McNemar, exact), ``won`` and ``lost`` (questions with both answers), ``breakdown``
        (key to value to n, difference and p, Holm-corrected over all of them), ``n``, ``only_a, only_b``,
        ``undecided`` (questions left out since one of the two has no verdict) and ``protocol_differences``.

    Raises:
        UsageError: they are of different benchmarks, of unlike protocols, or share no question.
    """
    if a.benchmark != b.benchmark:
        raise UsageError(f"A is of {a.benchmark}, B of {b.benchmark}.", "Compare results of one benchmark.")
    unlike = differences(a.told["protocol"], b.told["protocol"])
    if unlike and not force:
        raise UsageError(
            f"The two results were not made alike: {'; '.join(unlike)}.",
            "Make both under one protocol (--rescore may do), or compare them anyway with --force.",
        )
    scoring = scoring or a.headline
    for result in (a, b):
        if scoring not in result.told["scores"]:
            raise UsageError(f"A result has no scoring '{scoring}'.", f"It has {', '.join(result.told['scores'])}.")
    pairs, counts = _pairs(a, b, scoring)
    if not pairs:
        raise UsageError("The two results share no question.", "Compare results over the same data.")
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    found = paired_difference(before, after, _clusters(a, pairs))
    return {
        "benchmark": a.benchmark,
        "scoring": scoring,
        **counts,
        "accuracy": [sum(before) / len(pairs), sum(after) / len(pairs)],
        "difference": found.difference,
        "ci95": [found.low, found.high],
        "p": mcnemar(before, after),
        "won": [_flip(pair) for pair in pairs if pair.after > pair.before],
        "lost": [_flip(pair) for pair in pairs if pair.after < pair.before],
        "breakdown": _breakdown(list(a.told["scores"][scoring]["breakdown"]), pairs),
        "protocol_differences": unlike,
    }


def _pairs(a: Result, b: Result, scoring: str) -> tuple[list[Pair], dict[str, int]]:
    others = {row.example.id: row for row in b.rows}
    shared = [(row, others[row.example.id]) for row in a.rows if row.example.id in others]
    pairs = []
    for first, second in shared:
        before, after = outcome(verdict_of(first, scoring)), outcome(verdict_of(second, scoring))
        if before is not None and after is not None:
            pairs.append(Pair(first, second, before, after))
    return pairs, {
        "n": len(pairs),
        "only_a": len(a.rows) - len(shared),
        "only_b": len(b.rows) - len(shared),
        "undecided": len(shared) - len(pairs),
    }


def _clusters(result: Result, pairs: Sequence[Pair]) -> list[str] | None:
    key = result.told["clusters"]
    return [str(pair.a.example.metadata.get(key)) for pair in pairs] if key else None


def _flip(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.a.example.id,
        "gold": pair.a.example.answer,
        "a": pair.a.judged[0].trace.answer,
        "b": pair.b.judged[0].trace.answer,
    }


def _breakdown(keys: Sequence[str], pairs: Sequence[Pair]) -> dict[str, dict[str, Any]]:
    groups: defaultdict[tuple[str, str], list[Pair]] = defaultdict(list)
    for key in keys:
        for pair in pairs:
            for value in labels(pair.a.example.metadata, key):
                groups[key, value].append(pair)
    ps = [mcnemar([pair.before for pair in group], [pair.after for pair in group]) for group in groups.values()]
    found: dict[str, dict[str, Any]] = {}
    for ((key, value), group), p, adjusted in zip(groups.items(), ps, holm(ps), strict=True):
        difference = sum(pair.after - pair.before for pair in group) / len(group)
        found.setdefault(key, {})[value] = {"n": len(group), "difference": difference, "p": p, "p_holm": adjusted}
    return found
