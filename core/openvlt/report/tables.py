"""The tables of a run's stages, of all runs, and of what is planned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from openvlt.records import Run, StageRecord
from openvlt.report.results import accuracy

if TYPE_CHECKING:
    from rich.table import Table


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
        scored = f"{last.benchmark} {last.stage} {accuracy(last.score)}" if last else ""
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


def _table() -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD)
