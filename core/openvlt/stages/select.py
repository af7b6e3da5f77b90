"""Select: trace filters drop, rewrite, balance and choose; the rows that each drops are counted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from openvlt.errors import DataError, Reject, printable
from openvlt.interfaces import AskingTraceFilter, Drop, ImageReader, LookingTraceFilter, TraceFilter
from openvlt.records import Claim, Example, Judged, Rejected, Row
from openvlt.registry import Built
from openvlt.results import check_kept, check_pair
from openvlt.stages.accepting import check_lost, decided, dropped, rejecting
from openvlt.stages.asker import Asker
from openvlt.stages.filling import READ_TOGETHER
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output, reused
from openvlt.store import StageWriter

_NONE = Drop("kept no trace")


def select(
    workspace: Workspace, name: str, iteration: int, inputs: Output, filters: Sequence[Built[TraceFilter]]
) -> Output:
    """Apply the trace filters in order.

    Raises:
        DataError: the filters keep no trace, or failed on too many rows; the message counts the rows by reason.
    """
    started, asker = time.monotonic(), Asker(workspace)
    replies = asker.identities(filters)
    step = Step("select", name, iteration, (*(built.identity for built in filters), *replies, inputs.digest))
    with claimed(workspace, step) as (folder, known):
        if known is not None:
            return reused(workspace, step, folder, known, started)
        workspace.progress.begin(step.name, inputs.record.out, "rows")
        writer = StageWriter(folder)
        traces, unanswered, lost = 0, 0, list[str]()
        try:
            rows: Iterator[Row] = inputs.rows()
            for built in filters:
                is_asking = isinstance(built.component, AskingTraceFilter)
                found = _asked(built, rows, asker) if is_asking else _chosen(workspace, built, rows)
                rows = _kept(built, found, writer, lost)
            for row in rows:
                writer.row(row)
                traces += len(row.judged)
                unanswered += sum(judged.trace.answer is None for judged in row.judged)
                workspace.progress.advance(1, traces=traces)
        finally:
            writer.close()
            asker.close()
        check_lost(workspace, step, writer, len(lost), inputs.record.out)
        if not traces:
            reasons = "; ".join(f"{reason}: {count}" for reason, count in writer.rejected.most_common())
            raise DataError(
                f"Stage {step.name}: the filters keep no trace of {inputs.record.out} examples ({reasons}).",
                "Loosen the filters in the recipe, or set a larger k for the teacher.",
            )
        if unanswered:
            workspace.progress.note(
                f"Warning: {step.name}: {unanswered} of {traces} traces have no answer; they are not trained on."
            )
        counts = {"traces": traces, "unanswered": unanswered, **asker.counts()}
        summary = writer.finish({"in": inputs.record.out, "counts": counts, "replies": replies})
        return output(step, folder, summary, cached=False, started=started)


def _asked(
    built: Built[Any], rows: Iterator[Row], asker: Asker
) -> Iterator[tuple[Row, Sequence[Judged] | Drop | Rejected]]:
    """Ask about the traces of many rows at once."""
    while some := list(islice(rows, READ_TOGETHER)):
        claims = [
            Claim(trace=each.trace, example=row.example, group=row.example.id, verdicts=each.verdicts)
            for row in some
            for each in row.judged
        ]
        drops = iter(asker.drops(built, claims, lambda claim: claim.example.id))
        for row in some:
            found = [next(drops) for _ in row.judged]
            kept = [each for each, drop in zip(row.judged, found, strict=True) if drop is None]
            yield row, kept or next((drop for drop in found if drop), _NONE)


def _chosen(
    workspace: Workspace, built: Built[TraceFilter], rows: Iterable[Row]
) -> Iterator[tuple[Row, Sequence[Judged] | Drop | Rejected]]:
    """Choose row by row, where the filter does not ask for all of them."""
    component, by_id = built.component, dict[str, Row]()
    looks = isinstance(component, LookingTraceFilter)
    if looks or type(component).choose_all is TraceFilter.choose_all:
        for row in rows:
            try:
                with rejecting(workspace, built, "look" if looks else "choose", row.example.id):
                    found = check_kept(_choice(component, row, workspace.images.read), row.judged)
            except Reject as reject:
                yield row, dropped(row.example.id, reject)
            else:
                yield row, found
        return

    def pairs(rows: Iterator[Row]) -> Iterator[tuple[Example, Sequence[Judged]]]:
        for row in rows:
            by_id[row.example.id] = row
            yield row.example, row.judged

    def decide(rows: Iterator[Row]) -> Iterator[tuple[str, Sequence[Judged] | Drop]]:
        for pair in component.choose_all(pairs(rows)):
            example, found = check_pair(pair)
            row = by_id.pop(example.id, None)
            yield example.id, check_kept(found, row.judged if row else ())

    yield from decided(workspace, built, "choose_all", rows, lambda row: row.example.id, decide)


def _choice(component: TraceFilter, row: Row, read: ImageReader) -> Sequence[Judged] | Drop:
    if isinstance(component, LookingTraceFilter):
        return component.look(row.example, row.judged, read)
    return component.choose(row.example, row.judged)


def _kept(
    built: Built[TraceFilter],
    decisions: Iterable[tuple[Row, Sequence[Judged] | Drop | Rejected]],
    writer: StageWriter,
    lost: list[str],
) -> Iterator[Row]:
    """The rows with the traces that are kept; the others are rejected, and those that the filter failed on are lost."""
    for row, found in decisions:
        if isinstance(found, Rejected):
            lost.append(row.example.id)
            writer.reject(found)
        elif isinstance(found, Drop) or not found:
            reason = found.reason if isinstance(found, Drop) else _NONE.reason
            writer.reject(Rejected(id=row.example.id, reason=printable(f"{built.entry.name}: {reason}")))
        else:
            yield replace(row, judged=tuple(found))
