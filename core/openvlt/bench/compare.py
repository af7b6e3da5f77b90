"""Is B better than A? Compares two models on the same questions, question by question."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from openvlt.bench.aggregate import is_excluded, outcome
from openvlt.bench.categories import labels
from openvlt.bench.protocols import expected_differences, protocol_differences
from openvlt.bench.result import Result
from openvlt.bench.stats import are_whole, holm, paired_difference, paired_p
from openvlt.errors import UsageError
from openvlt.records import BenchResult, Example, Paired, Row

SHOWN = 3
"""Ids of questions named in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A question that one of two models did better, with the answers of both: of several samples ``3 x 7, 1 x 8``."""

    id: str
    gold: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How result B differs from result A; ``--json`` shows it as it is.

    Attributes:
        a: name of the first result.
        b: name of the second.
        n: questions that both have a verdict on; all that follows is about these.
        only_a: questions that only A has.
        only_b: questions that only B has.
        undecided: questions of both, skipped because one of them has no verdict.
        of: what is compared, ``accuracy``, or ``mean`` where the scoring gives fractions.
        accuracy: of A and of B (or their mean scores); of several samples of a question their mean counts.
        difference: of these, B minus A.
        ci95: paired bootstrap interval of the difference.
        p: of the test, McNemar's exact one, or where outcomes are fractions that of flipped signs.
        won: questions that B did better.
        lost: questions that A did better.
        breakdown: metadata key to value to the difference there.
        protocol_differences: fields in which the protocols differ although they should not, and questions.
        expected_differences: fields in which they differ because a base, a trained model and a file of responses are
            asked and read differently.
    """

    a: str
    b: str
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
    test: Literal["McNemar's", "sign-flip"]
    of: Literal["accuracy", "mean"]
    won: tuple[Flip, ...]
    lost: tuple[Flip, ...]
    breakdown: Mapping[str, Mapping[str, CategoryDifference]]
    protocol_differences: tuple[str, ...]
    expected_differences: tuple[str, ...]


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


@dataclass(frozen=True, slots=True)
class _Pairing:
    """The questions of two results by what became of them: pairs, and ids of all others."""

    pairs: list[_Pair] = field(default_factory=list)
    only_a: list[str] = field(default_factory=list)
    only_b: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """Questions of both, some of them in `pairs`, with another text, gold or choices in B."""


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
    scoring = scoring or first.headline
    _check_scored(first, second, scoring)
    of_means = any(result.scores[scoring].mean is not None for result in (first, second))
    found = _paired(a.rows(), b.rows(), scoring, first.excluded_from_score, mean=of_means)
    unlike = _unlike(first, second, found, force)
    pairs = found.pairs
    difference, low, high = _difference(pairs, first.clusters)
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    return Comparison(
        a=a.name,
        b=b.name,
        benchmark=first.benchmark,
        scoring=scoring,
        n=len(pairs),
        only_a=len(found.only_a),
        only_b=len(found.only_b),
        undecided=len(found.undecided),
        accuracy=(sum(before) / len(pairs), sum(after) / len(pairs)),
        difference=difference,
        ci95=(low, high),
        p=paired_p(before, after),
        test="McNemar's" if are_whole(before, after) else "sign-flip",
        of="mean" if of_means else "accuracy",
        won=tuple(pair.flip for pair in pairs if pair.after > pair.before),
        lost=tuple(pair.flip for pair in pairs if pair.after < pair.before),
        breakdown=_breakdown(list(first.scores[scoring].breakdown), pairs),
        protocol_differences=unlike,
        expected_differences=expected_differences(first.protocol, second.protocol),
    )


def _check_scored(a: BenchResult, b: BenchResult, scoring: str) -> None:
    if a.benchmark != b.benchmark:
        raise UsageError(f"A is of {a.benchmark}, B of {b.benchmark}.", "Compare results of one benchmark.")
    for result in (a, b):
        if scoring not in result.scores:
            raise UsageError(
                f"On {a.benchmark} a result has no scoring '{scoring}'.", f"It has {', '.join(result.scores)}."
            )


def _unlike(a: BenchResult, b: BenchResult, found: _Pairing, force: bool) -> tuple[str, ...]:
    """What two results should have in common and do not.

    Raises:
        UsageError: there is any and the comparison is not forced, or there is nothing to compare.
    """
    on = f"On {a.benchmark} "
    if not found.pairs:
        problem = (
            "no question has a verdict in both results" if found.undecided else "the two results share no question"
        )
        raise UsageError(f"{on}{problem}.", "Compare results over the same data.")
    protocols = protocol_differences(a.protocol, b.protocol)
    same_data = a.protocol.data.content == b.protocol.data.content
    questions = () if same_data else tuple(_question_differences(found))
    if questions and not force:
        raise UsageError(
            f"{on}the questions differ: {'; '.join(questions)}.",
            f"Score both on the same data, split and limit, or compare the {len(found.pairs):,} of both with --force.",
        )
    if protocols and not force:
        raise UsageError(
            f"{on}the protocols of the two results differ: {'; '.join(protocols)}.",
            "Score both by one protocol (--rescore may do), or compare them anyway with --force.",
        )
    return (*protocols, *questions)


def versus(a: Iterable[Row], b: Iterable[Row], result: BenchResult) -> Paired:
    """The paired difference of B, from which `result` was counted, from A by the headline scoring."""
    mean = result.score.mean is not None
    return _difference(_paired(a, b, result.headline, result.excluded_from_score, mean=mean).pairs, result.clusters)


def _question_differences(found: _Pairing) -> Iterator[str]:
    for ids, text in (
        (found.only_a, "B lacks {} of A"), (found.only_b, "A lacks {} of B"),
        (found.changed, "{} have another text, gold or choices in B"),
    ):  # fmt: skip
        if ids:
            yield f"{text.format(f'{len(ids):,}')}, such as {', '.join(ids[:SHOWN])}"


def _paired(a: Iterable[Row], b: Iterable[Row], scoring: str, excluded: Mapping[str, str], *, mean: bool) -> _Pairing:
    """Pair the scored questions that both have a verdict on; with `mean` by their scores."""
    rows_b = (row for row in b if not is_excluded(row.example, excluded))
    others = {row.example.id: (_content(row.example), *_outcome(row, scoring, mean)) for row in rows_b}
    found = _Pairing()
    for row in a:
        example = row.example
        if is_excluded(example, excluded):
            continue
        if example.id not in others:
            found.only_a.append(example.id)
            continue
        (before, answer_a), (content, after, answer_b) = _outcome(row, scoring, mean), others.pop(example.id)
        if content != _content(example):
            found.changed.append(example.id)
        if before is None or after is None:
            found.undecided.append(example.id)
        else:
            found.pairs.append(_Pair(example, before, after, answer_a, answer_b))
    found.only_b.extend(others)
    return found


def _content(example: Example) -> int:
    """What makes two questions with one id the same, as in ``data.content``."""
    return hash((example.full_question, example.answer, example.choices, example.precision))


def _outcome(row: Row, scoring: str, mean: bool) -> tuple[float | None, str | None]:
    verdicts = [judged.verdicts[scoring] for judged in row.judged]
    found = [verdict.score if mean else outcome(verdict) for verdict in verdicts]
    known = [each for each in found if each is not None]
    return sum(known) / len(known) if len(known) == len(found) else None, _answers(row)


def _answers(row: Row) -> str | None:
    """The answer to a question; of several samples each answer with how often it was given."""
    answers = Counter(judged.trace.answer for judged in row.judged)
    if len(row.judged) == 1:
        return row.judged[0].trace.answer
    return ", ".join(f"{count} x {'none' if answer is None else answer}" for answer, count in answers.most_common())


def _difference(pairs: Sequence[_Pair], key: str) -> Paired:
    clusters = [str(pair.example.metadata.get(key)) for pair in pairs] if key else None
    return paired_difference([pair.before for pair in pairs], [pair.after for pair in pairs], clusters)


def _breakdown(keys: Sequence[str], pairs: Sequence[_Pair]) -> dict[str, dict[str, CategoryDifference]]:
    groups: defaultdict[tuple[str, str], list[_Pair]] = defaultdict(list)
    for key in keys:
        for pair in pairs:
            for value in labels(pair.example.metadata, key):
                groups[key, value].append(pair)
    ps = [paired_p([pair.before for pair in group], [pair.after for pair in group]) for group in groups.values()]
    found: dict[str, dict[str, CategoryDifference]] = {}
    for ((key, value), group), p, adjusted in zip(groups.items(), ps, holm(ps), strict=True):
        difference = sum(pair.after - pair.before for pair in group) / len(group)
        found.setdefault(key, {})[value] = CategoryDifference(n=len(group), difference=difference, p=p, p_holm=adjusted)
    return found
