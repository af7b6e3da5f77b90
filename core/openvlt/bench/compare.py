"""Is B better than A? Two models on the same questions, question by question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from openvlt.bench.aggregate import is_excluded, labels, outcome
from openvlt.bench.result import Result
from openvlt.bench.stats import holm, mcnemar, paired_difference
from openvlt.errors import UsageError
from openvlt.records import BenchResult, Example, Paired, Protocol, Row

NOT_COMPARED = frozenset({"model", "data.revision", "data.split", "prompt.asked"})
"""Parts two protocols may differ in and still be compared: which model it was is the question; the same questions with
the same golds are the same data, whatever file they came from (``data.content``); and the same messages are the same
prompt, whoever they are for (``prompt.digest``)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same question in both results, with its outcomes and answers."""

    example: Example
    before: float
    after: float
    answers: tuple[str | None, str | None]


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
        ``undecided`` (questions skipped since one of the two has no verdict) and ``protocol_differences``.

    Raises:
        UsageError: they are of different benchmarks, of unlike protocols, or share no question.
    """
    first, second = a.record, b.record
    if first.benchmark != second.benchmark:
        raise UsageError(f"A is of {first.benchmark}, B of {second.benchmark}.", "Compare results of one benchmark.")
    unlike = differences(first.protocol, second.protocol)
    if unlike and not force:
        raise UsageError(
            f"The two results were not made alike: {'; '.join(unlike)}.",
            "Make both under one protocol (--rescore may do), or compare them anyway with --force.",
        )
    scoring = scoring or first.headline
    for result in (first, second):
        if scoring not in result.scores:
            raise UsageError(f"A result has no scoring '{scoring}'.", f"It has {', '.join(result.scores)}.")
    pairs, counts = paired(a.rows(), b.rows(), scoring, first.excluded_from_score)
    if not pairs:
        raise UsageError("The two results share no question.", "Compare results over the same data.")
    found = _difference(pairs, first.clusters)
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    return {
        "benchmark": first.benchmark,
        "scoring": scoring,
        **counts,
        "accuracy": [sum(before) / len(pairs), sum(after) / len(pairs)],
        "difference": found.difference,
        "ci95": [found.low, found.high],
        "p": mcnemar(before, after),
        "won": [_flip(pair) for pair in pairs if pair.after > pair.before],
        "lost": [_flip(pair) for pair in pairs if pair.after < pair.before],
        "breakdown": _breakdown(list(first.scores[scoring].breakdown), pairs),
        "protocol_differences": unlike,
    }


def versus(a: Iterable[Row], b: Iterable[Row], result: BenchResult) -> Paired:
    """The paired difference of B, of which `result` was counted, from A by the headline scoring."""
    pairs, _ = paired(a, b, result.headline, result.excluded_from_score)
    return _difference(pairs, result.clusters)


def paired(
    a: Iterable[Row], b: Iterable[Row], scoring: str, excluded: Mapping[str, str]
) -> tuple[list[Pair], dict[str, int]]:
    """The questions that both have a verdict on, and how many there are of these and of the others."""
    found = {row.example.id: _outcome(row, scoring) for row in b if not is_excluded(row.example, excluded)}
    pairs, only_a, undecided = list[Pair](), 0, 0
    for row in a:
        if is_excluded(row.example, excluded):
            continue
        if row.example.id not in found:
            only_a += 1
            continue
        before, said = _outcome(row, scoring)
        after, answer = found.pop(row.example.id)
        if before is None or after is None:
            undecided += 1
        else:
            pairs.append(Pair(row.example, before, after, (said, answer)))
    return pairs, {"n": len(pairs), "only_a": only_a, "only_b": len(found), "undecided": undecided}


def differences(a: Protocol, b: Protocol) -> list[str]:
    """What two protocols differ in, apart from the model, as ``key: this and that``."""
    return _differences("", asdict(a), asdict(b))


def _differences(key: str, a: Any, b: Any) -> list[str]:
    if a == b or key in NOT_COMPARED:
        return []
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        parts = {part: f"{key}.{part}" if key else part for part in sorted({*a, *b})}
        return [text for part, name in parts.items() for text in _differences(name, a.get(part), b.get(part))]
    return [f"{key}: {a} and {b}"]


def _outcome(row: Row, scoring: str) -> tuple[float | None, str | None]:
    (judged,) = row.judged
    return outcome(judged.verdicts[scoring]), judged.trace.answer


def _difference(pairs: Sequence[Pair], key: str) -> Paired:
    clusters = [str(pair.example.metadata.get(key)) for pair in pairs] if key else None
    return paired_difference([pair.before for pair in pairs], [pair.after for pair in pairs], clusters)


def _flip(pair: Pair) -> dict[str, Any]:
    a, b = pair.answers
    return {"id": pair.example.id, "gold": pair.example.answer, "a": a, "b": b}


def _breakdown(keys: Sequence[str], pairs: Sequence[Pair]) -> dict[str, dict[str, Any]]:
    groups: defaultdict[tuple[str, str], list[Pair]] = defaultdict(list)
    for key in keys:
        for pair in pairs:
            for value in labels(pair.example.metadata, key):
                groups[key, value].append(pair)
    ps = [mcnemar([pair.before for pair in group], [pair.after for pair in group]) for group in groups.values()]
    found: dict[str, dict[str, Any]] = {}
    for ((key, value), group), p, adjusted in zip(groups.items(), ps, holm(ps), strict=True):
        difference = sum(pair.after - pair.before for pair in group) / len(group)
        found.setdefault(key, {})[value] = {"n": len(group), "difference": difference, "p": p, "p_holm": adjusted}
    return found
