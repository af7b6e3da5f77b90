"""``openvlt table``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import click

from openvlt.errors import UsageError, closest

if TYPE_CHECKING:
    from openvlt.records import BenchResult
    from openvlt.report.formats import TableFormat


@click.command("table")
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--format", "format", type=click.Choice(["text", "csv", "markdown", "latex"]), default="text", show_default=True,
    help="How to write it; LaTeX needs booktabs.",
)  # fmt: skip
@click.option("--scoring", help="Scoring to show; by default the headline of each benchmark.")
@click.option("--mean", "means", multiple=True, metavar="NAME=A,B", help="Add the mean of benchmarks; repeatable.")
@click.option("--interval", is_flag=True, help="Show the 95 % interval of each score.")
def table(
    names: tuple[str, ...],
    format: TableFormat | Literal["text"],
    scoring: str | None,
    means: tuple[str, ...],
    interval: bool,
) -> None:
    """Show what models have scored, in percent: models as rows, benchmarks as columns.

    RUN is a run, with all its models; one model of it (RUN/MODEL: quickstart/grpo-2); or a result of 'openvlt bench'.
    Scores that are still open are shown as the range they leave.
    """
    from openvlt.report import results as shown
    from openvlt.report.formats import formatted
    from openvlt.report.table import Table, print_table

    found = [each for name in names for each in _results(name)]
    results = _rows(found)
    benchmarks = list(dict.fromkeys(result.benchmark for _, _, result in found))
    wanted = {name: _parts(text, name, benchmarks) for name, _, text in (each.partition("=") for each in means)}

    def cell(result: BenchResult | None) -> str:
        if result is None or (scoring and scoring not in result.scores):
            return ""
        score = result.scores[scoring or result.headline]
        return shown.accuracy(score) + (f" ({shown.span(*score.ci95)})" if interval else "")

    def mean(of: Mapping[str, BenchResult], parts: Sequence[str]) -> str:
        scores = [of[part].scores.get(scoring or of[part].headline) for part in parts if part in of]
        known = [score.accuracy for score in scores if score is not None and score.accuracy is not None]
        return shown.percent(sum(known) / len(known)) if len(known) == len(parts) else ""

    rows = [
        (label, *(cell(of.get(name)) for name in benchmarks), *(mean(of, parts) for parts in wanted.values()))
        for label, of in results.items()
    ]
    made = Table(("model", *benchmarks, *wanted), rows, labels=1)
    if format == "text":
        print_table(made)
    else:
        click.echo(formatted(made, format))
    for note in _unlike(results, benchmarks):
        click.echo(f"Note: {note}.", err=True)


def _rows(found: Sequence[tuple[str, str, BenchResult]]) -> dict[str, dict[str, BenchResult]]:
    """The results by the name of their row: of one model on several benchmarks in one row, which the model names."""
    of_model: dict[str, list[str]] = {}
    for _, model, result in found:
        of_model.setdefault(model, []).append(result.benchmark)
    rows: dict[str, dict[str, BenchResult]] = {}
    for name, model, result in found:
        scored = of_model[model]
        is_shared = model and 1 < len(scored) == len(set(scored))
        rows.setdefault(model if is_shared else name, {})[result.benchmark] = result
    return rows


def _unlike(results: Mapping[str, Mapping[str, BenchResult]], benchmarks: Sequence[str]) -> Iterable[str]:
    """Yield the benchmarks whose scores are not over the same questions."""
    for benchmark in benchmarks:
        by_data: dict[tuple[int, str], list[str]] = {}
        for label, of in results.items():
            if result := of.get(benchmark):
                by_data.setdefault((result.n, result.protocol.data.content), []).append(label)
        if len(by_data) > 1:
            groups = "; ".join(f"{n:,} of {', '.join(labels)}" for (n, _), labels in by_data.items())
            yield f"{benchmark}: the scores are not over the same questions ({groups})"


def _results(name: str) -> list[tuple[str, str, BenchResult]]:
    """The results of a name, each with its own name, and with the model's where `openvlt bench` made it."""
    from openvlt.bench.scored import find_results
    from openvlt.store import open_home, read_run, run_names

    home = open_home()
    plain = name.removeprefix("run:")
    if plain in run_names(home) and (scores := (run := read_run(home, plain)).scores):
        return [(f"{plain}/{each.stage}", each.stage if run.recipe == "bench" else "", each) for each in scores]
    found = find_results(home, name)
    return [(each.name, "" if each.run else each.record.stage, each.record) for each in found]


def _parts(text: str, name: str, benchmarks: Sequence[str]) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not name or not parts:
        raise UsageError(f"--mean '{name}={text}' names no benchmarks.", "Write --mean NAME=A,B.")
    for part in parts:
        if part not in benchmarks:
            raise UsageError(f"No model was scored on '{part}' (--mean {name}).", closest(part, list(benchmarks)))
    return parts
