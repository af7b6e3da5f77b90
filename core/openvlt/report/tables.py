"""The tables a run ends with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from openvlt.records import Run, Score, StageRecord

if TYPE_CHECKING:
    from rich.table import Table


def scores_table(scores: Sequence[Score]) -> Table:
    """One row a model: accuracy with its interval, by kind, unparsed, tokens, seconds; shares in percent."""
    kinds = list(dict.fromkeys(kind for score in scores for kind in score.by_kind))
    benchmarks = {score.benchmark for score in scores}
    table = _table(title=", ".join(sorted(benchmarks)))
    table.add_column("model", no_wrap=True)
    for column in ("accuracy", "95 %", *kinds, "unparsed", "tokens", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    for score in scores:
        name = score.stage if len(benchmarks) == 1 else f"{score.benchmark} {score.stage}"
        low, high = score.ci95
        by_kind = (score.by_kind.get(kind) for kind in kinds)
        table.add_row(
            name,
            _percent(score.accuracy),
            f"{_percent(low)} - {_percent(high)}",
            *(_percent(rate.accuracy) if rate else "" for rate in by_kind),
            _percent(score.unparsed),
            f"{score.mean_tokens:.1f}",
            f"{score.seconds:.1f}",
        )
    return table


def gains(score: Score) -> list[str]:
    """One line for each model the score is compared with: the paired difference in points with its 95 % interval."""
    lines = []
    for other, (difference, low, high) in score.versus.items():
        interval = f"95 % {100 * low:+.1f} to {100 * high:+.1f}"
        lines.append(f"{score.stage} against {other}: {100 * difference:+.1f} points ({interval}, paired)")
    return lines


def stages_table(stages: Iterable[StageRecord]) -> Table:
    """One row a stage: what went in, what came out, what was left out, how long it took."""
    table = _table()
    table.add_column("stage")
    for column in ("in", "out", "left out", "seconds"):
        table.add_column(column, justify="right")
    for stage in stages:
        seconds = "reused" if stage.cached else f"{stage.seconds:.1f}"
        table.add_row(stage.name, str(stage.taken), str(stage.out), str(sum(stage.rejected.values())), seconds)
    return table


def runs_table(runs: Iterable[Run]) -> Table:
    """One row a run: its recipe, how it stands, its last score."""
    table = _table()
    for column in ("run", "recipe", "status", "stages", "last score", "model"):
        table.add_column(column)
    for run in runs:
        last = run.scores[-1] if run.scores else None
        scored = f"{last.benchmark} {last.stage} {last.accuracy:.1%}" if last else ""
        table.add_row(run.name, run.recipe, run.status, str(len(run.stages)), scored, run.model)
    return table


def plan_table(stages: Iterable[tuple[str, str, int | None, str, float | None, bool]]) -> Table:
    """One row a stage that is to come: name, component, rows at most, model, memory in bytes, whether it is done."""
    table = _table()
    for column in ("stage", "component", "rows", "model", "memory", ""):
        table.add_column(column, justify="right" if column in ("rows", "memory") else "left")
    for name, component, rows, model, memory, cached in stages:
        size = "" if memory is None else f"{memory / 1e9:.1f} GB"
        table.add_row(name, component, "" if rows is None else f"{rows:,}", model, size, "done" if cached else "")
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _table(title: str = "") -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD, title=title or None, title_justify="left")
