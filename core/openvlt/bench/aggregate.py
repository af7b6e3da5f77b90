"""Aggregates judged rows: accuracy with its interval, the bounds that undecided questions leave, the breakdowns."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from openvlt.bench.asking import REFUSED
from openvlt.bench.definition import Definition
from openvlt.bench.questions import Responses
from openvlt.bench.stats import cluster_bootstrap, wilson
from openvlt.extraction import extract
from openvlt.interfaces import Benchmark
from openvlt.records import BenchResult, Example, Format, Protocol, Rate, Row, Score, Trace, Verdict
from openvlt.records.bench import UsedVerifier
from openvlt.stages.accepting import printable
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
    """A question as it is counted: without the response, so that memory does not grow with what models write."""

    example: Example
    verdicts: Mapping[str, Verdict]


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
    stage: str, definition: Definition, responses: Responses, reading: str, judged: Iterable[Row], format: Format
) -> BenchResult:
    """Count the judged rows of a benchmark.

    Args:
        stage: name of the model that responded.
        definition: the benchmark.
        responses: the responses, and how they were obtained.
        reading: how their answers were found, unless they came extracted.
        judged: the same questions, each with its one judged trace.
        format: names the tags of the responses.
    """
    benchmark, items, tally = definition.benchmark.component, list[Item](), Tally()
    silent = {*responses.failed, *responses.unanswered}
    for row in judged:
        (found,) = row.judged
        items.append(Item(row.example, found.verdicts))
        if row.example.id not in silent:
            tally.add(found.trace, format)
    protocol, counts = protocol_of(definition, responses, reading), tally.counts
    scorings = dict.fromkeys([*definition.verifiers, *responses.judged])
    with definition.benchmark.guarded():
        scores = {scoring: score_of(benchmark, items, scoring) for scoring in scorings}
    return BenchResult(
        benchmark=definition.name,
        stage=stage,
        headline=next(iter(scorings)),
        scores=scores,
        protocol=protocol,
        protocol_hash=digest(asdict(protocol)),
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
        warnings=tuple(_warnings(definition, items, protocol, tally)),
        notes=tuple(_notes(definition, responses, items, counts["truncated"])),
        about=_about(benchmark),
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
    )


def _extraction(responses: Responses, reading: str) -> str:
    if responses.judge and responses.judge.about == "official":
        return "judge"
    return "stored" if responses.extracted else reading


def score_of(benchmark: Benchmark, items: Sequence[Item], scoring: str) -> Score:
    """Count one scoring."""
    counted = in_score(items, benchmark)
    verdicts = [item.verdicts[scoring] for item in counted]
    key = benchmark.clusters
    clusters = [str(item.example.metadata.get(key)) for item in counted] if key else None
    breakdown: dict[str, dict[str, Rate]] = {}
    for name in benchmark.breakdown:
        by_value: defaultdict[str, list[Verdict]] = defaultdict(list)
        for item in items:
            for value in labels(item.example.metadata, name):
                by_value[value].append(item.verdicts[scoring])
        if by_value:
            breakdown[name] = {value: rate(of_value) for value, of_value in sorted(by_value.items())}
    figures = benchmark.aggregate([(item.example, item.verdicts[scoring]) for item in counted])
    return Score(
        **asdict(rate(verdicts, clusters)),
        breakdown=breakdown,
        figures={printable(name): float(value) for name, value in figures.items() if math.isfinite(value)},
        tiers=dict(sorted(Counter(verdict.tier for verdict in verdicts if verdict.tier).items())),
    )


def rate(verdicts: Sequence[Verdict], clusters: Sequence[Hashable] | None = None) -> Rate:
    """How many of how many are correct; the denominator is every question.

    Args:
        verdicts: one a question.
        clusters: the image or problem each question belongs to; None if they are independent.
    """
    outcomes = [outcome(verdict) for verdict in verdicts]
    n, undecided, correct = len(outcomes), outcomes.count(None), outcomes.count(1.0)
    known = [value or 0.0 for value in outcomes]
    return Rate(
        accuracy=correct / n if n and undecided <= OPEN_SHARE * n else None,
        correct=correct,
        n=n,
        ci95=wilson(correct, n) if clusters is None else cluster_bootstrap(known, clusters),
        bounds=(correct / n, (correct + undecided) / n) if n else (0.0, 1.0),
        undecided=undecided,
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
    if truncated > TRUNCATED_SHARE * n:
        raised = "raise it (--max-tokens, in a recipe bench_tokens) to trust this score"
        yield f"{truncated} of {n} responses were cut at the token limit; {raised}"


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
