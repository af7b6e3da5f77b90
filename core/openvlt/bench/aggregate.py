"""Aggregates judged rows: accuracy with its interval, the bounds that undecided questions leave, the breakdowns."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from openvlt.bench.asking import REFUSED
from openvlt.bench.definition import Definition
from openvlt.bench.questions import Responses
from openvlt.bench.stats import cluster_bootstrap, estimate, pass_at, resampled, wilson, wilson_of_means
from openvlt.bench.voting import majority
from openvlt.errors import Fault
from openvlt.extraction import extract
from openvlt.interfaces import Benchmark
from openvlt.records import BenchResult, Budget, Example, Format, Protocol, Rate, Row, Sampled, Score, Trace, Verdict
from openvlt.records.bench import UsedVerifier
from openvlt.results import printable
from openvlt.store import digest
from openvlt.terminal import escape

OPEN_SHARE = 0.01
"""Share of undecided questions above which there is no headline number."""
TRUNCATED_SHARE = 0.05
"""Share of truncated responses above which the result has a warning."""
UNPARSED_SHARE = 0.05
"""Share of responses without a readable answer above which the result has a warning with samples of them."""
SAMPLES, SAMPLE_LENGTH = 3, 100


@dataclass(frozen=True, slots=True)
class Item:
    """A question as it is counted: without the responses, so that memory does not grow with what models write.

    Attributes:
        verdicts: on its response, by scoring.
        more: the same for its further samples.
    """

    example: Example
    verdicts: Mapping[str, Verdict]
    more: tuple[Mapping[str, Verdict], ...] = ()

    def of(self, scoring: str) -> list[Verdict]:
        """The verdict on each of its samples."""
        return [each[scoring] for each in (self.verdicts, *self.more)]


@dataclass(frozen=True, slots=True)
class Tally:
    """What responses are like, whatever they score.

    Attributes:
        counts: ``responses``, their ``tokens``, how many are ``truncated`` or ``unparsed``, and of these how many are
            ``cut_off`` at the token limit, and how many leave a tag or box ``unclosed``.
        samples: ends of some that are unparsed.
    """

    counts: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def add(self, trace: Trace, format: Format) -> None:
        """Count one response."""
        truncated = trace.finish_reason == "length"
        self.counts.update(responses=1, tokens=trace.completion_tokens, truncated=truncated)
        if trace.answer is not None:
            return
        self.counts.update(unparsed=1, cut_off=truncated, unclosed=extract(trace.raw, format).start >= 0)
        if len(self.samples) < SAMPLES and (sample := _sample(trace.raw)) not in self.samples:
            self.samples.append(sample)


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
        warnings=(*faults, *_warnings(definition, items, protocol, tally)),
        notes=tuple(_notes(definition, responses, items, counts["truncated"])),
        about=_about(benchmark),
    )


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
    known = [each.count(1.0) / len(each) for each in outcomes]
    open_share = sum(each.count(None) / len(each) for each in outcomes) / max(n, 1)
    accuracy, samples = sum(known) / max(n, 1), max(map(len, outcomes), default=1)
    has_number = n > 0 and open_share <= OPEN_SHARE
    if clusters is not None:
        interval = cluster_bootstrap(known, clusters)
    else:
        interval = wilson(correct, n) if samples == 1 else wilson_of_means(known, samples)
    mean = estimate(*_scores(verdicts, clusters)) if has_number and _are_fractional(verdicts) else None
    return Rate(
        accuracy=accuracy if has_number else None,
        correct=correct,
        n=n,
        ci95=interval,
        bounds=(accuracy, min(1.0, accuracy + open_share)) if n else (0.0, 1.0),
        undecided=sum(None in each for each in outcomes),
        mean=mean.value if mean else None,
        mean95=mean[1:] if mean else None,
    )


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
    right = [[float(outcome(verdict) == 1.0) for verdict in of_question] for of_question in verdicts]
    counts = dict.fromkeys([*(1 << power for power in range(k.bit_length())), k])
    return Sampled(
        k=k,
        samples95=resampled(right),
        pass_at={
            count: estimate([pass_at(count, len(each), int(sum(each))) for each in right], clusters) for count in counts
        },
        majority=estimate(list(map(majority, verdicts)), clusters),
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


def labels(metadata: Mapping[str, Any], key: str) -> list[str]:
    """The values a question counts for under a key; several if the key has a list."""
    value = metadata.get(key)
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def _notes(definition: Definition, responses: Responses, items: Sequence[Item], truncated: int) -> Iterator[str]:
    """Yield what a reader of the score should know."""
    n, data = len(items), responses.questions.data
    if failed := responses.failed:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in Counter(failed.values()).most_common(3))
        yield f"{len(failed)} of {n:,} questions failed and leave the score open ({reasons})"
        if refused := sum(reason.startswith(REFUSED) for reason in failed.values()):
            yield f"{refused} of them were refused for good; --refused wrong counts these as wrong"
    yield from responses.notes
    if responses.draws:
        seeds = ", ".join(f"{count} with seed {seed}" for seed, count in responses.draws.items())
        yield f"each question has {responses.samples} samples, those of earlier runs included: {seeds}"
    if responses.judge:
        written = responses.judge_reply_tokens
        yield f"the judge read {responses.judge_tokens - written:,} tokens and wrote {written:,}"
    by_rules = responses.judge is None and not responses.extracted
    if by_rules and items and definition.asks_judge(items[0].example):
        yield "answers were found by rules; no judge was asked"
    size = definition.benchmark.component.source.published_size(data.split)
    if data.limit is None and size is not None and n < size:
        yield f"the data has {n:,} of the split's {size:,} questions; the score is over these"
    if n and not any(item.example.answer for item in items):
        yield "the answers to these questions are not public: submission.json has the model's answers"
    if truncated > TRUNCATED_SHARE * n * responses.samples:
        raised = "raise it (--max-tokens, in a recipe bench_tokens) to trust this score"
        yield f"{truncated} of {n * responses.samples} responses were cut at the token limit; {raised}"


def _warnings(definition: Definition, items: Sequence[Item], protocol: Protocol, tally: Tally) -> Iterator[str]:
    """Yield the warning that many responses are unparsed, with samples and what would help."""
    counts = tally.counts
    n, unparsed = counts["responses"], counts["unparsed"]
    if unparsed <= UNPARSED_SHARE * n:
        return
    helps = []
    if counts["cut_off"] > unparsed / 2:
        helps.append("a higher token limit, for most of them were cut at it (--max-tokens, in a recipe bench_tokens)")
    if protocol.judge is None:
        helps.append("a judge (--judge)")
    unclosed = counts["unclosed"] > unparsed / 2
    if protocol.extraction in ("tag", "phrase") and not unclosed:
        helps.append("another reading (--reading anywhere, in a recipe the benchmark's option reading)")
    shown = "; ".join(f'"{sample}"' for sample in tally.samples)
    yield (
        f"{unparsed:,} of {n:,} responses ({unparsed / n:.0%}) are unparsed and count as wrong, such as {shown}"
        + ("; most of them leave a tag or box open or empty, so no other reading finds an answer" if unclosed else "")
        + (f"; what may help: {', or '.join(helps)}" if helps else "")
    )


def _sample(text: str) -> str:
    """The end of a response, where its answer should be, on one line."""
    line = escape(" ".join(text.split()))
    return line if len(line) <= SAMPLE_LENGTH else f"... {line[-SAMPLE_LENGTH:]}"


def _about(benchmark: Benchmark) -> dict[str, str]:
    """What the benchmark tells about its data."""
    source = benchmark.source
    found = {"licence": source.licence, "note": source.note, "contamination": benchmark.contamination}
    return {key: text for key, text in found.items() if text}
