"""Is B better than A? Compares two models on the same questions, question by question."""

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
"""Fields in which comparable protocols may differ: the model is what is compared; questions with the same content and
golds are the same data, whatever file they came from (``data.content``); and the same messages are the same prompt,
whoever they are for (``prompt.digest``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A question that only one of two models got right, with both answers."""

    id: str
    gold: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How result B differs from result A; ``--json`` shows it as it is.

    Attributes:
        n: questions that both have a verdict on; all that follows is about these.
        only_a: questions that only A has.
        only_b: questions that only B has.
        undecided: questions of both, skipped because one of them has no verdict.
        accuracy: of A and of B.
        difference: of the accuracies, B minus A.
        ci95: paired bootstrap interval of the difference.
        p: of McNemar's exact test.
        won: questions that only B got right.
        lost: questions that only A got right.
        breakdown: metadata key to value to the difference there.
        protocol_differences: fields in which the protocols differ although they should not.
    """

    benchmark: str
    scoring: str
    n: int
    only_a: int
    only_b: int
    undecided: int
    accuracy: tuple[float, float]
    difference: float
    ci95: tuple[float, float]
    p: float
    won: tuple[Flip, ...]
    lost: tuple[Flip, ...]
    breakdown: Mapping[str, Mapping[str, CategoryDifference]]
    protocol_differences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryDifference:
    """The same for the questions of one category; `p_holm` is `p` with Holm's correction over all categories."""

    n: int
    difference: float
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class _Pair:
    """A question in both results, with its outcomes and answers."""

    example: Example
    before: float
    after: float
    a: str | None
    b: str | None

    @property
    def flip(self) -> Flip:
        return Flip(id=self.example.id, gold=self.example.answer, a=self.a, b=self.b)


def compare(a: Result, b: Result, scoring: str | None = None, *, force: bool = False) -> Comparison:
    """Compare two results on the questions they share.

    Args:
        a: the first result.
        b: the second; differences are B minus A.
        scoring: which scoring; the headline of A if None.
        force: compare results of different protocols too.

    Raises:
        UsageError: they are of different benchmarks or protocols, or share no question.
    """
    first, second = a.record, b.record
    if first.benchmark != second.benchmark:
        raise UsageError(f"A is of {first.benchmark}, B of {second.benchmark}.", "Compare results of one benchmark.")
    unlike = protocol_differences(first.protocol, second.protocol)
    if unlike and not force:
        raise UsageError(
            f"The protocols of the two results differ: {'; '.join(unlike)}.",
            "Score both by one protocol (--rescore may do), or compare them anyway with --force.",
        )
    scoring = scoring or first.headline
    for result in (first, second):
        if scoring not in result.scores:
            raise UsageError(f"A result has no scoring '{scoring}'.", f"It has {', '.join(result.scores)}.")
    pairs, counts = _paired(a.rows(), b.rows(), scoring, first.excluded_from_score)
    if not pairs:
        raise UsageError("The two results share no question.", "Compare results over the same data.")
    difference, low, high = _difference(pairs, first.clusters)
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    return Comparison(
        benchmark=first.benchmark,
        scoring=scoring,
        n=len(pairs),
        **counts,
        accuracy=(sum(before) / len(pairs), sum(after) / len(pairs)),
        difference=difference,
        ci95=(low, high),
        p=mcnemar(before, after),
        won=tuple(pair.flip for pair in pairs if pair.after > pair.before),
        lost=tuple(pair.flip for pair in pairs if pair.after < pair.before),
        breakdown=_breakdown(list(first.scores[scoring].breakdown), pairs),
        protocol_differences=unlike,
    )


def versus(a: Iterable[Row], b: Iterable[Row], result: BenchResult) -> Paired:
    """The paired difference of B, from which `result` was counted, from A by the headline scoring."""
    pairs, _ = _paired(a, b, result.headline, result.excluded_from_score)
    return _difference(pairs, result.clusters)


def protocol_differences(a: Protocol, b: Protocol) -> tuple[str, ...]:
    """The fields in which two protocols differ, apart from the model, as ``key: this and that``."""
    return tuple(_differences("", asdict(a), asdict(b)))


def _differences(key: str, a: Any, b: Any) -> list[str]:
    if a == b or key in NOT_COMPARED:
        return []
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        names = {field: f"{key}.{field}" if key else field for field in sorted({*a, *b})}
        return [text for field, name in names.items() for text in _differences(name, a.get(field), b.get(field))]
    return [f"{key}: {a} and {b}"]


def _paired(
    a: Iterable[Row], b: Iterable[Row], scoring: str, excluded: Mapping[str, str]
) -> tuple[list[_Pair], dict[str, int]]:
    """The scored questions that both have a verdict on, and the numbers of the others."""
    found = {row.example.id: _outcome(row, scoring) for row in b if not is_excluded(row.example, excluded)}
    pairs, only_a, undecided = list[_Pair](), 0, 0
    for row in a:
        if is_excluded(row.example, excluded):
            continue
        if row.example.id not in found:
            only_a += 1
            continue
        (before, answer_a), (after, answer_b) = _outcome(row, scoring), found.pop(row.example.id)
        if before is None or after is None:
            undecided += 1
        else:
            pairs.append(_Pair(row.example, before, after, answer_a, answer_b))
    return pairs, {"only_a": only_a, "only_b": len(found), "undecided": undecided}


def _outcome(row: Row, scoring: str) -> tuple[float | None, str | None]:
    (judged,) = row.judged
    return outcome(judged.verdicts[scoring]), judged.trace.answer


def _difference(pairs: Sequence[_Pair], key: str) -> Paired:
    clusters = [str(pair.example.metadata.get(key)) for pair in pairs] if key else None
    return paired_difference([pair.before for pair in pairs], [pair.after for pair in pairs], clusters)


def _breakdown(keys: Sequence[str], pairs: Sequence[_Pair]) -> dict[str, dict[str, CategoryDifference]]:
    groups: defaultdict[tuple[str, str], list[_Pair]] = defaultdict(list)
    for key in keys:
        for pair in pairs:
            for value in labels(pair.example.metadata, key):
                groups[key, value].append(pair)
    ps = [mcnemar([pair.before for pair in group], [pair.after for pair in group]) for group in groups.values()]
    found: dict[str, dict[str, CategoryDifference]] = {}
    for ((key, value), group), p, adjusted in zip(groups.items(), ps, holm(ps), strict=True):
        difference = sum(pair.after - pair.before for pair in group) / len(group)
        found.setdefault(key, {})[value] = CategoryDifference(n=len(group), difference=difference, p=p, p_holm=adjusted)
    return found
