"""Aggregates judged rows: accuracy with its interval, the bounds that undecided questions leave, the breakdowns."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from statistics import fmean

from openvlt.bench.categories import labels
from openvlt.bench.definition import Definition
from openvlt.bench.questions import Responses
from openvlt.bench.remarks import Item, Tally, about, notes, open_verdicts, unknown_keys, warnings
from openvlt.bench.stats import cluster_bootstrap, estimate, pass_at, resampled, wilson, wilson_of_means
from openvlt.bench.voting import majority
from openvlt.errors import Fault, printable
from openvlt.interfaces import Benchmark
from openvlt.records import (
    BenchResult,
    Budget,
    Example,
    Format,
    Protocol,
    Rate,
    Row,
    Sampled,
    Score,
    Verdict,
)
from openvlt.records.bench import UsedVerifier
from openvlt.store import digest

OPEN_SHARE = 0.01
"""Share of undecided questions above which there is no headline number."""


def summarise(
    stage: str,
    definition: Definition,
    responses: Responses,
    reading: str,
    judged: Iterable[Row],
    format: Format,
    *,
    strict: bool = False,
) -> BenchResult:
    """Count the judged rows of a benchmark.

    Args:
        stage: name of the model that responded.
        definition: the benchmark.
        responses: the responses, and how they were obtained.
        reading: how their answers were found, unless they came extracted.
        judged: the same questions, each with its judged traces.
        format: names the tags of the responses.
        strict: raise where the benchmark's further figures fail, instead of going without them.
    """
    benchmark, items, tally = definition.benchmark.component, list[Item](), Tally()
    silent = {*responses.failed, *responses.unanswered}
    for row in judged:
        first, *more = row.judged
        items.append(Item(row.example, first.verdicts, tuple(each.verdicts for each in more)))
        if row.example.id not in silent:
            for each in row.judged:
                tally.add(each.trace, format)
    protocol, counts = protocol_of(definition, responses, reading), tally.counts
    scorings = dict.fromkeys([*definition.verifiers, *responses.judged])
    faults: list[str] = []
    try:
        with definition.benchmark.guarded("aggregate"):
            scores = {scoring: score_of(benchmark, items, scoring) for scoring in scorings}
    except Fault as fault:
        if strict:
            raise
        scores = {scoring: score_of(benchmark, items, scoring, figures=False) for scoring in scorings}
        faults.append(f"it has no further figures: the {fault.reason}")
    return BenchResult(
        benchmark=definition.name,
        stage=stage,
        headline=next(iter(scorings)),
        scores=scores,
        protocol=protocol,
        protocol_hash=digest(protocol),
        responses=counts["responses"],
        unparsed=counts["unparsed"],
        truncated=counts["truncated"],
        unanswered=responses.unanswered,
        failed=responses.failed,
        mean_tokens=counts["tokens"] / max(counts["responses"], 1),
        judge_tokens=responses.judge_tokens,
        judge_reply_tokens=responses.judge_reply_tokens,
        seconds=round(responses.seconds, 3),
        clusters=benchmark.clusters,
        excluded_from_score=dict(benchmark.excluded_from_score) if len(in_score(items, benchmark)) < len(items) else {},
        warnings=(*faults, *warnings(definition, items, protocol, tally)),
        notes=(
            *open_verdicts(items, scorings, responses), *notes(definition, responses, items, counts),
            *unknown_keys(benchmark, items),
        ),
        about=about(benchmark),
        spec=definition.spec,
    )  # fmt: skip


def with_budgets(result: BenchResult, smaller: Sequence[BenchResult]) -> BenchResult:
    """The result at the largest limit of tokens, with the accuracy at those that its responses were cut to."""
    if not smaller:
        return result
    return replace(result, budgets=tuple(_budget(each) for each in (*smaller, result)))


def _budget(result: BenchResult) -> Budget:
    used = result.protocol.decoding
    return Budget(
        max_tokens=used.max_tokens if used else 0,
        accuracy=result.accuracy,
        ci95=result.ci95,
        mean_tokens=result.mean_tokens,
        truncated=result.truncated,
        unparsed=result.unparsed,
    )


def protocol_of(definition: Definition, responses: Responses, reading: str) -> Protocol:
    """Everything the score of these responses depends on; `reading` is that of `summarise`."""
    return Protocol(
        benchmark=definition.benchmark.entry.id,
        data=responses.questions.data,
        model=responses.model,
        prompt=responses.prompt,
        decoding=responses.sampling,
        extraction=_extraction(responses, reading),
        scoring={
            name: UsedVerifier(verifier=built.entry.id, identity=built.identity)
            for name, built in definition.verifiers.items()
        },
        judge=responses.judge,
        refused=responses.refused,
        draws=responses.draws,
    )


def _extraction(responses: Responses, reading: str) -> str:
    if responses.judge and responses.judge.about == "official":
        return "judge"
    return "stored" if responses.extracted else reading


def score_of(benchmark: Benchmark, items: Sequence[Item], scoring: str, *, figures: bool = True) -> Score:
    """Count one scoring; without `figures` those of the benchmark's own are left out."""
    counted = in_score(items, benchmark)
    verdicts = [item.of(scoring) for item in counted]
    key = benchmark.clusters
    clusters = [str(item.example.metadata.get(key)) for item in counted] if key else None
    breakdown: dict[str, dict[str, Rate]] = {}
    for name in benchmark.breakdown:
        by_value: defaultdict[str, list[list[Verdict]]] = defaultdict(list)
        for item in items:
            for value in labels(item.example.metadata, name):
                by_value[value].append(item.of(scoring))
        if by_value:
            breakdown[name] = {value: rate(of_value) for value, of_value in sorted(by_value.items())}
    k = min(map(len, verdicts), default=1)
    tiers = Counter(verdict.tier for of_question in verdicts for verdict in of_question if verdict.tier)
    return Score(
        **asdict(rate(verdicts, clusters)),
        breakdown=breakdown,
        figures=_figures(benchmark, counted, scoring, k) if figures else {},
        tiers=dict(sorted(tiers.items())),
        sampled=_sampled(verdicts, clusters, k) if max(map(len, verdicts), default=1) > 1 else None,
    )


def rate(verdicts: Sequence[Sequence[Verdict]], clusters: Sequence[Hashable] | None = None) -> Rate:
    """How many of how many are correct; the denominator is every question.

    Args:
        verdicts: on the samples of each question, at least one.
        clusters: the image or problem each question belongs to; None if they are independent.
    """
    outcomes = [[outcome(verdict) for verdict in of_question] for of_question in verdicts]
    n, correct = len(outcomes), sum(each.count(1.0) for each in outcomes)
    lowest = _right(outcomes, undecided=0.0)
    open_share = sum(each.count(None) / len(each) for each in outcomes) / max(n, 1)
    accuracy = sum(map(fmean, lowest)) / max(n, 1)
    has_number = n > 0 and open_share <= OPEN_SHARE
    low, high = _interval(lowest, clusters)
    if open_share:
        high = _interval(_right(outcomes, undecided=1.0), clusters)[1]
    mean = estimate(*_scores(verdicts, clusters)) if has_number and _are_fractional(verdicts) else None
    return Rate(
        accuracy=accuracy if has_number else None,
        correct=correct,
        n=n,
        ci95=(low, high),
        bounds=(accuracy, min(1.0, accuracy + open_share)) if n else (0.0, 1.0),
        undecided=sum(None in each for each in outcomes),
        mean=mean.value if mean else None,
        mean95=mean[1:] if mean else None,
    )


def _right(outcomes: Sequence[Sequence[float | None]], *, undecided: float) -> list[list[float]]:
    """The outcomes, if all that are undecided were wrong (0) or right (1)."""
    return [[undecided if each is None else each for each in of_question] for of_question in outcomes]


def _interval(right: Sequence[Sequence[float]], clusters: Sequence[Hashable] | None) -> tuple[float, float]:
    """The 95 % interval over questions and their samples; that of sampling alone is within it."""
    means, samples = list(map(fmean, right)), max(map(len, right), default=1)
    if clusters is not None:
        low, high = cluster_bootstrap(means, clusters)
    else:
        low, high = wilson(sum(means), len(means)) if samples == 1 else wilson_of_means(means, samples)
    if samples == 1:
        return low, high
    of_samples = resampled(right)
    return min(low, of_samples[0]), max(high, of_samples[1])


def _are_fractional(verdicts: Sequence[Sequence[Verdict]]) -> bool:
    return any(verdict.status in ("partial", "scored") for of_question in verdicts for verdict in of_question)


def _scores(
    verdicts: Sequence[Sequence[Verdict]], clusters: Sequence[Hashable] | None
) -> tuple[list[float], list[Hashable]]:
    """The mean score of each question that has one, and its cluster."""
    decided = [[each.score for each in of_question if each.score is not None] for of_question in verdicts]
    kept = [index for index, scores in enumerate(decided) if scores]
    return [sum(decided[index]) / len(decided[index]) for index in kept], [
        index if clusters is None else clusters[index] for index in kept
    ]


def _figures(benchmark: Benchmark, counted: Sequence[Item], scoring: str, k: int) -> dict[str, float]:
    """The benchmark's own figures, of several samples their mean."""
    found: defaultdict[str, float] = defaultdict(float)
    for sample in range(k):
        rows = [(item.example, item.of(scoring)[sample]) for item in counted]
        for name, value in benchmark.aggregate(rows).items():
            found[printable(name)] += float(value) / k
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _sampled(verdicts: Sequence[Sequence[Verdict]], clusters: Sequence[Hashable] | None, k: int) -> Sampled:
    outcomes = [[outcome(verdict) for verdict in of_question] for of_question in verdicts]
    right = _right(outcomes, undecided=0.0)
    low, high = resampled(right)
    open_share = sum(each.count(None) / len(each) for each in outcomes) / len(outcomes)
    if open_share:
        high = resampled(_right(outcomes, undecided=1.0))[1]
    has_number = open_share <= OPEN_SHARE
    counts = dict.fromkeys([*(1 << power for power in range(k.bit_length())), k]) if has_number else ()
    return Sampled(
        k=k,
        most=max(map(len, verdicts)),
        samples95=(low, high),
        pass_at={
            count: estimate([pass_at(count, len(each), int(sum(each))) for each in right], clusters) for count in counts
        },
        majority=estimate(list(map(majority, verdicts)), clusters) if has_number else None,
    )


def outcome(verdict: Verdict) -> float | None:
    """1 for correct, 0 for anything the response caused, None where the verdict is open."""
    if verdict.score is None:
        return None
    return 1.0 if verdict.status == "correct" else 0.0


def in_score(items: Sequence[Item], benchmark: Benchmark) -> Sequence[Item]:
    """The questions that are scored; excluded ones only if there are no others."""
    return [item for item in items if not is_excluded(item.example, benchmark.excluded_from_score)] or items


def is_excluded(example: Example, excluded: Mapping[str, str]) -> bool:
    """True if the question is reported in the breakdown but not scored."""
    return any(example.metadata.get(key) == value for key, value in excluded.items())
