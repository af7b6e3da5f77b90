"""What a reader of a score should know beside its numbers: notes, warnings, and what the data is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from openvlt.bench.asking import REFUSED
from openvlt.bench.definition import Definition
from openvlt.bench.questions import Responses
from openvlt.extraction import extract
from openvlt.interfaces import Benchmark
from openvlt.records import Example, Format, Protocol, Sampling, Trace, Verdict
from openvlt.terminal import escape

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


def notes(
    definition: Definition, responses: Responses, items: Sequence[Item], counts: Mapping[str, int]
) -> Iterator[str]:
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
    truncated, count = counts["truncated"], counts["responses"]
    if truncated > TRUNCATED_SHARE * count:
        yield (
            f"{truncated} of {count} responses were cut at the token limit; raise it "
            f"({_limit(responses.sampling)}) to trust this score"
        )


def open_verdicts(items: Sequence[Item], scorings: Iterable[str], responses: Responses) -> Iterator[str]:
    """Yield for each scoring why verdicts are missing although there is a response."""
    for scoring in scorings:
        found = [
            (verdict.reason, item.example.id)
            for item in items
            if item.example.id not in responses.failed
            for verdict in item.of(scoring)
            if verdict.score is None
        ]
        count = sum(len(item.of(scoring)) for item in items)
        first = dict(reversed(found))
        reasons = "; ".join(
            f"{times} x {reason}, first on {first[reason]}"
            for reason, times in Counter(reason for reason, _ in found).most_common(SAMPLES)
        )
        if found:
            yield f"{len(found):,} of {count:,} verdicts of '{scoring}' are open ({reasons})"


def unknown_keys(benchmark: Benchmark, items: Sequence[Item]) -> Iterator[str]:
    """Yield the keys by which a benchmark counts questions and which none of them has."""
    known = dict.fromkeys(key for item in items for key in item.example.metadata)
    named = {
        "breakdown": benchmark.breakdown, "clusters": filter(None, [benchmark.clusters]),
        "excluded_from_score": benchmark.excluded_from_score,
    }  # fmt: skip
    for option, keys in named.items():
        for key in keys:
            if key not in known:
                has = f"; they have {', '.join(known)}" if known else ""
                yield f"no question has the key '{key}' of the benchmark's {option}{has}"


def _limit(sampling: Sampling | None) -> str:
    """Where the limit of tokens is set."""
    return "--max-tokens, in a recipe bench_tokens" if sampling else "where they were made"


def warnings(definition: Definition, items: Sequence[Item], protocol: Protocol, tally: Tally) -> Iterator[str]:
    """Yield the warning that many responses are unparsed, with samples and what would help."""
    counts = tally.counts
    n, unparsed = counts["responses"], counts["unparsed"]
    if unparsed <= UNPARSED_SHARE * n:
        return
    helps = []
    if counts["cut_off"] > unparsed / 2:
        helps.append(f"a higher token limit, for most of them were cut at it ({_limit(protocol.decoding)})")
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


def about(benchmark: Benchmark) -> dict[str, str]:
    """What the benchmark tells about its data."""
    source = benchmark.source
    found = {"licence": source.licence, "note": source.note, "contamination": benchmark.contamination}
    return {key: text for key, text in found.items() if text}
