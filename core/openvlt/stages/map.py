"""Map stages: cached values are looked up, missing ones computed, rows written in input order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import TypeAlias

from openvlt.errors import RemoteError
from openvlt.records import Rejected, Row
from openvlt.stages.filling import READ_TOGETHER, Filling, Value, Work
from openvlt.stages.workspace import Output, Step, Workspace, claimed, lost_too_many, output, reused
from openvlt.store import StageWriter, ValueStore

Finish: TypeAlias = Callable[[Row, list[Value | Rejected]], Row | Rejected]
"""Makes an output row of a row and its values; rejected values are counted whatever it returns."""


def map_stage(
    workspace: Workspace,
    step: Step,
    inputs: Output,
    work: Work,
    finish: Finish,
    total: int,
    *,
    gaps: bool = False,
    faults: Mapping[str, int] | None = None,
) -> Output:
    """Carry out a map stage, or reuse it.

    Args:
        workspace: of the run.
        step: the stage.
        inputs: the input rows.
        work: computes the values of a row.
        finish: makes the output row.
        total: number of rows.
        gaps: accept an output with missing values; the next run retries the transient ones.
        faults: those in the values of the rows, which `finish` counts, besides those that reject a row.

    Raises:
        DataError: too many rows were rejected; or components failed on some before, and the recipe is strict.
        RemoteError: some rows failed transiently; the next run retries only those.
    """
    started = time.monotonic()
    with claimed(workspace, step) as (folder, summary):
        if summary is not None:
            return reused(workspace, step, folder, summary, started)
        workspace.progress.begin(step.name, total, "rows")
        with ValueStore(workspace.home.values / work.identity) as store:
            filling = Filling(workspace, work, store)
            filling.run(inputs.rows())
            seconds = time.monotonic() - started
            writer = StageWriter(folder)
            try:
                taken = _write(inputs.rows(), filling, finish, writer)
                writer.faults.update(faults or {})
                workspace.reused(step.name, writer.faults)
                if not gaps:
                    _check(workspace, step, taken, writer)
            finally:
                writer.close()
            counts = dict(work.counts())
            counts.pop("rejected", None)  # of this run, for its progress; the record counts those of earlier runs too
            counts["seconds"] = round(seconds, 3)
            missing = {"transient": writer.transient} if gaps else {}
            values = {"values": work.identity, "replies": list(work.replies)}
            made = writer.finish({"in": taken, "counts": counts, **values, **missing})
        return output(step, folder, made, cached=filling.computed == 0, started=started)


def _write(rows: Iterable[Row], filling: Filling, finish: Finish, writer: StageWriter) -> int:
    taken, work = 0, filling.work
    left = iter(rows)
    while some := [(row, work.keys(row)) for row in islice(left, READ_TOGETHER)]:
        taken += len(some)
        lines = filling.values(some)
        for row, keys in some:
            values = filling.unpacked(row, keys, lines)
            done = finish(row, values)
            for index, value in enumerate(values):
                if isinstance(value, Rejected) and value is not done:
                    suffix = f"#{index}" if len(values) > 1 else ""
                    writer.reject(replace(value, id=f"{row.example.id}{suffix}"))
            if isinstance(done, Rejected):
                writer.reject(replace(done, id=row.example.id))
            else:
                writer.row(done)
    return taken


def _check(workspace: Workspace, step: Step, taken: int, writer: StageWriter) -> None:
    """Fail if too many rows were rejected, or if some failed transiently."""
    reasons = "; ".join(f"{count} x {reason}" for reason, count in writer.rejected.most_common(3))
    if writer.transient:
        raise RemoteError(
            f"Stage {step.name}: {writer.transient} requests of {taken} rows failed transiently ({reasons}).",
            "Run the same command again: it keeps what is done and retries only those.",
        )
    lost = taken - writer.out
    if taken and (lost / taken > workspace.reject_above or writer.out == 0):
        raise lost_too_many(workspace, writer, f"Stage {step.name}", lost, taken, "fix the cause")
