"""Select: trace filters drop, rewrite, balance and choose; the rows that each drops are counted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from openvlt.errors import DataError, PluginError
from openvlt.interfaces import AskingTraceFilter, Drop, ImageReader, LookingTraceFilter, TraceFilter
from openvlt.records import Claim, Example, Judged, Rejected, Row
from openvlt.registry import Built
from openvlt.stages.accepting import printable
from openvlt.stages.asker import Asker
from openvlt.stages.filling import READ_TOGETHER
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import StageWriter, decode, encode


def select(
    workspace: Workspace, name: str, iteration: int, inputs: Output, filters: Sequence[Built[TraceFilter]]
) -> Output:
    """Apply the trace filters in order.

    Raises:
        DataError: the filters keep no trace; the message counts the rows dropped by each filter.
    """
    started, asker = time.monotonic(), Asker(workspace)
    replies = asker.identities(filters)
    step = Step("select", name, iteration, (*(built.identity for built in filters), *replies, inputs.digest))
    with claimed(workspace, step) as (folder, known):
        if known is not None:
            return output(step, folder, known, cached=True, started=started)
        workspace.progress.begin(step.name, inputs.record.out, "rows")
        writer = StageWriter(folder)
        traces = unanswered = 0
        try:
            rows: Iterator[Row] = inputs.rows()
            for built in filters:
                is_asking = isinstance(built.component, AskingTraceFilter)
                rows = _asked(built, rows, writer, asker) if is_asking else _filtered(workspace, built, rows, writer)
            for row in rows:
                writer.row(row)
                traces += len(row.judged)
                unanswered += sum(judged.trace.answer is None for judged in row.judged)
                workspace.progress.advance(1, traces=traces)
        finally:
            writer.close()
            asker.close()
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


def _asked(built: Built[Any], rows: Iterator[Row], writer: StageWriter, asker: Asker) -> Iterator[Row]:
    """Ask about the traces of many rows at once."""
    while some := list(islice(rows, READ_TOGETHER)):
        claims = [
            Claim(trace=each.trace, example=row.example, group=row.example.id, verdicts=each.verdicts)
            for row in some
            for each in row.judged
        ]
        drops = iter(asker.drops(built, claims))
        for row in some:
            found = [next(drops) for _ in row.judged]
            kept = tuple(each for each, drop in zip(row.judged, found, strict=True) if drop is None)
            if kept:
                yield replace(row, judged=kept)
            else:
                reason = found[0].reason if found and found[0] else "kept no trace"
                writer.reject(Rejected(id=row.example.id, reason=printable(f"{built.entry.name}: {reason}")))


def _filtered(
    workspace: Workspace, built: Built[TraceFilter], rows: Iterable[Row], writer: StageWriter
) -> Iterator[Row]:
    waiting: deque[Row] = deque()

    def pairs() -> Iterator[tuple[Example, Sequence[Judged]]]:
        for row in rows:
            waiting.append(row)
            yield row.example, row.judged

    with built.guarded():
        for _, kept in _choices(built.component, pairs(), workspace.images.read):
            row = waiting.popleft()
            if isinstance(kept, Drop):
                reason = printable(f"{built.entry.name}: {kept.reason}")
                writer.reject(Rejected(id=row.example.id, reason=reason))
                continue
            if not kept:
                writer.reject(Rejected(id=row.example.id, reason=f"{built.entry.name}: kept no trace"))
                continue
            _check_answers(built, row, kept)
            yield _rewritten(row, tuple(kept))
    if waiting:
        raise PluginError(
            f"The filter {built.entry.id} made no decision on {len(waiting)} rows.",
            "Report this to its author: a filter must yield one decision per row, in order.",
        )


def _choices(
    component: TraceFilter, pairs: Iterable[tuple[Example, Sequence[Judged]]], read: ImageReader
) -> Iterator[tuple[Example, Sequence[Judged] | Drop]]:
    if isinstance(component, LookingTraceFilter):
        return ((example, component.look(example, judged, read)) for example, judged in pairs)
    return component.choose_all(pairs)


def _rewritten(row: Row, kept: tuple[Judged, ...]) -> Row:
    """The row with what was kept, which can be read again once it is written.

    Raises:
        ValueError, TypeError: it cannot.
    """
    found = replace(row, judged=kept)
    known = {id(judged) for judged in row.judged}
    return found if all(id(judged) in known for judged in kept) else decode(Row, encode(found))


def _check_answers(built: Built[TraceFilter], row: Row, kept: Sequence[Judged]) -> None:
    """A filter may rewrite reasoning, never an answer."""
    answers = {judged.trace.answer for judged in row.judged}
    if any(judged.trace.answer not in answers for judged in kept):
        raise PluginError(
            f"The filter {built.entry.id} changed the answer of example {row.example.id}.",
            "Report this to its author: a filter may rewrite the reasoning, never the answer.",
        )
