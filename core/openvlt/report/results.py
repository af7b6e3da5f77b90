"""Benchmark results as tables, for the terminal and for the page of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from openvlt.errors import counted
from openvlt.records import BenchResult, Rate, Sampled, Score
from openvlt.report.table import Table


def tables(results: Sequence[BenchResult]) -> Iterator[Table]:
    """The tables of each benchmark, in percent: models as rows, then categories as rows and models as columns."""
    for benchmark in dict.fromkeys(result.benchmark for result in results):
        yield from _of_benchmark(benchmark, [result for result in results if result.benchmark == benchmark])


def gains(results: Sequence[BenchResult]) -> list[str]:
    """Differences between the last model of each benchmark and others: paired, in points, with the 95 % interval."""
    last = {result.benchmark: result for result in results}
    return [
        f"{'' if len(last) == 1 else f'{benchmark}: '}{result.stage} against {other}: {100 * difference:+.1f} points "
        f"(95 % {100 * low:+.1f} to {100 * high:+.1f}, paired)"
        for benchmark, result in last.items()
        for other, (difference, low, high) in result.versus.items()
    ]


def notes(results: Sequence[BenchResult]) -> list[str]:
    """The notes on the scores, each once, with the models it concerns."""
    models: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for note in result.notes:
            models.setdefault((result.benchmark, note), []).append(result.stage)
    if len(results) == 1:
        return [note for _, note in models]
    return [f"{benchmark} ({', '.join(of)}): {note}" for (benchmark, note), of in models.items()]


def warnings(results: Sequence[BenchResult]) -> list[str]:
    """The warning about each benchmark, once: that of its last model that has one, with the others named."""
    if len(results) == 1:
        return list(results[0].warnings)
    warned: dict[str, list[tuple[str, str]]] = {}
    for result in results:
        for text in result.warnings:
            warned.setdefault(result.benchmark, []).append((result.stage, text))
    named = {
        benchmark: ", and likewise ".join(stage for stage, _ in found[::-1]) for benchmark, found in warned.items()
    }
    return [f"{benchmark} ({named[benchmark]}): {found[-1][1]}" for benchmark, found in warned.items()]


def accuracy(rate: Rate) -> str:
    """The accuracy in percent; the range that undecided questions leave open; or both if they are few."""
    low, high = rate.bounds
    span = f"[{percent(low)}, {percent(high)}]"
    if rate.accuracy is None:
        return span
    return f"{percent(rate.accuracy)} {span}" if rate.undecided else percent(rate.accuracy)


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _of_benchmark(benchmark: str, results: Sequence[BenchResult]) -> Iterator[Table]:
    scores = [(result, name, score) for result in results for name, score in result.scores.items()]
    several = any(len(result.scores) > 1 for result in results)
    columns = ("model", "scoring") if several else ("model",)
    means = ("mean", "95 %") if any(score.mean95 for _, _, score in scores) else ()
    figures = ("accuracy", "95 %", *means, "unparsed", "tokens", "seconds")
    labels = [(result.stage, name) if several else (result.stage,) for result, name, _ in scores]
    rows = [
        (*label, *_figures(result, score, first=name == result.headline, means=bool(means)))
        for label, (result, name, score) in zip(labels, scores, strict=True)
    ]
    yield Table((*columns, *figures), rows, f"{benchmark}, {counted(results[0].n, 'question')}", len(columns))
    sampled = [(label, score.sampled) for label, (_, _, score) in zip(labels, scores, strict=True) if score.sampled]
    if sampled:
        counts = sorted({count for _, each in sampled for count in each.pass_at})
        heads = ("samples", "same questions", "majority", "95 %", *(f"pass@{count}" for count in counts if count > 1))
        yield Table(
            (*columns, *heads), [(*label, *_samples(each, counts)) for label, each in sampled], "", len(columns)
        )
    for result in results:
        if result.budgets:
            yield _curve(result)
    names = [_column(result, name, several, alone=len(results) == 1) for result, name, _ in scores]
    for key in dict.fromkeys(key for _, _, score in scores for key in score.breakdown):
        rates = [score.breakdown.get(key, {}) for _, _, score in scores]
        values = sorted({value for of_score in rates for value in of_score})
        lines = [
            (value, str(max(of[value].n for of in rates if value in of)),
             *(_of_category(of[value]) if value in of else "" for of in rates))
            for value in values
        ]  # fmt: skip
        yield Table((key, "n", *names), lines, labels=2)
    extra = list(dict.fromkeys(figure for _, _, score in scores for figure in score.figures))
    if extra:
        lines = [(each, *(_figure(score, each) for _, _, score in scores)) for each in extra]
        yield Table(("figure", *names), lines, labels=1)


def _of_category(rate: Rate) -> str:
    return accuracy(rate) if rate.mean is None else f"{accuracy(rate)} (mean {percent(rate.mean)})"


def _curve(result: BenchResult) -> Table:
    """The accuracy at each limit of tokens."""
    rows = [
        (f"{each.max_tokens:,}", "" if each.accuracy is None else percent(each.accuracy), span(*each.ci95),
         f"{each.mean_tokens:,.1f}", percent(each.truncated / _responses(result)),
         percent(each.unparsed / _responses(result)))
        for each in result.budgets
    ]  # fmt: skip
    names = ("budget", "accuracy", "95 %", "tokens", "cut", "unparsed")
    return Table(names, rows, f"{result.benchmark}, {result.stage} by budget", 1)


def _responses(result: BenchResult) -> int:
    """How many responses a result is about; one that did not count them had the same number to each question."""
    sampled = result.score.sampled
    return max(result.responses or result.n * (sampled.most if sampled else 1), 1)


def _samples(sampled: Sampled, counts: Sequence[int]) -> tuple[str, ...]:
    pass_at = [sampled.pass_at.get(count) for count in counts if count > 1]
    majority = sampled.majority
    return (
        f"{sampled.k} to {sampled.most}" if sampled.most > sampled.k else str(sampled.k),
        span(*sampled.samples95),
        *((percent(majority.value), span(majority.low, majority.high)) if majority else ("", "")),
        *(percent(each.value) if each else "" for each in pass_at),
    )


def span(low: float, high: float) -> str:
    return f"{percent(low)} - {percent(high)}"


def _figures(result: BenchResult, score: Score, *, first: bool, means: bool) -> tuple[str, ...]:
    found: tuple[str, ...] = (accuracy(score), span(*score.ci95))
    if means:
        found += (percent(score.mean), span(*score.mean95)) if score.mean is not None and score.mean95 else ("", "")
    if not first:
        return (*found, "", "", "")
    unparsed = percent(result.unparsed / _responses(result))
    return (*found, unparsed, f"{result.mean_tokens:.1f}", f"{result.seconds:.1f}")


def _column(result: BenchResult, scoring: str, several: bool, *, alone: bool) -> str:
    if not several:
        return result.stage
    return scoring if alone else f"{result.stage} {scoring}"


def _figure(score: Score, name: str) -> str:
    if name not in score.figures:
        return ""
    return f"{'at least ' if score.undecided else ''}{percent(score.figures[name])}"
