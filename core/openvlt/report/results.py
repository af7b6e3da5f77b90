"""Benchmark results as tables, for the terminal and for the page of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from openvlt.records import BenchResult, Rate, Score
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


def interval(rate: Rate) -> str:
    """The 95 % interval in percent."""
    low, high = rate.ci95
    return f"{percent(low)} - {percent(high)}"


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _of_benchmark(benchmark: str, results: Sequence[BenchResult]) -> Iterator[Table]:
    scores = [(result, name, score) for result in results for name, score in result.scores.items()]
    several = any(len(result.scores) > 1 for result in results)
    columns = ("model", "scoring") if several else ("model",)
    figures = ("accuracy", "95 %", "unparsed", "tokens", "seconds")
    rows = [
        (result.stage, *([name] if several else []), *_figures(result, score, first=name == result.headline))
        for result, name, score in scores
    ]
    yield Table((*columns, *figures), rows, f"{benchmark}, {results[0].n:,} questions", len(columns))
    names = [_column(result, name, several, alone=len(results) == 1) for result, name, _ in scores]
    for key in dict.fromkeys(key for _, _, score in scores for key in score.breakdown):
        rates = [score.breakdown.get(key, {}) for _, _, score in scores]
        values = sorted({value for of_score in rates for value in of_score})
        lines = [
            (value, str(max(of[value].n for of in rates if value in of)),
             *(accuracy(of[value]) if value in of else "" for of in rates))
            for value in values
        ]  # fmt: skip
        yield Table((key, "n", *names), lines, labels=2)
    extra = list(dict.fromkeys(figure for _, _, score in scores for figure in score.figures))
    if extra:
        lines = [(each, *(_figure(score, each) for _, _, score in scores)) for each in extra]
        yield Table(("figure", *names), lines, labels=1)


def _figures(result: BenchResult, score: Score, *, first: bool) -> tuple[str, ...]:
    found = (accuracy(score), interval(score))
    if not first:
        return (*found, "", "", "")
    unparsed = percent(result.unparsed / max(result.n, 1))
    return (*found, unparsed, f"{result.mean_tokens:.1f}", f"{result.seconds:.1f}")


def _column(result: BenchResult, scoring: str, several: bool, *, alone: bool) -> str:
    if not several:
        return result.stage
    return scoring if alone else f"{result.stage} {scoring}"


def _figure(score: Score, name: str) -> str:
    if name not in score.figures:
        return ""
    return f"{'at least ' if score.undecided else ''}{percent(score.figures[name])}"
