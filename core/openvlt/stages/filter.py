"""Filter: example filters choose among loaded examples by their content and by facts about them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

from openvlt.errors import DataError
from openvlt.interfaces import AskingExampleFilter, ExampleFilter
from openvlt.records import Example, Rejected, Row
from openvlt.registry import Built
from openvlt.stages.accepting import printable
from openvlt.stages.asker import Asker
from openvlt.stages.filling import READ_TOGETHER
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import StageWriter

Facts: TypeAlias = Mapping[str, Mapping[str, float]]
"""Fact to example id to value."""


def filter_examples(
    workspace: Workspace,
    name: str,
    iteration: int,
    inputs: Output,
    filters: Sequence[Built[ExampleFilter]],
    limit: int | None,
    facts: Facts,
) -> Output:
    """Apply example filters in order, then take the first `limit`.

    Raises:
        DataError: the filters keep no example.
    """
    started, asker = time.monotonic(), Asker(workspace)
    replies = asker.identities(filters)
    identities = [*(built.identity for built in filters), *replies]
    step = Step("filter", name, iteration, (identities, limit, inputs.digest, facts))
    with claimed(workspace, step) as (folder, known):
        if known is not None:
            return output(step, folder, known, cached=True, started=started)
        workspace.progress.begin(step.name, inputs.record.out, "rows")
        writer = StageWriter(folder)
        try:
            examples: Iterator[Example] = (row.example for row in inputs.rows())
            for built in filters:
                if isinstance(built.component, AskingExampleFilter):
                    examples = _asked(built, examples, writer, asker, limit)
                else:
                    examples = _filtered(built, examples, facts, writer)
            for example in examples:
                if limit is not None and writer.out >= limit:
                    writer.reject(Rejected(id=example.id, reason="beyond the limit"))
                    continue
                writer.row(Row(example=example))
                workspace.progress.advance(1)
        finally:
            writer.close()
            asker.close()
        if not writer.out:
            reasons = "; ".join(f"{count} x {reason}" for reason, count in writer.rejected.most_common(3))
            raise DataError(
                f"Stage {step.name}: the filters keep no example ({reasons}).",
                "Loosen the filters in the recipe.",
            )
        summary = writer.finish({"in": inputs.record.out, "counts": asker.counts(), "replies": replies})
        return output(step, folder, summary, cached=False, started=started)


def _asked(
    built: Built[Any], examples: Iterator[Example], writer: StageWriter, asker: Asker, limit: int | None
) -> Iterator[Example]:
    """Ask about many examples at once, and about none once the limit is reached."""
    while some := list(islice(examples, READ_TOGETHER)):
        is_full = limit is not None and writer.out >= limit
        drops = [None] * len(some) if is_full else asker.drops(built, some)
        for example, drop in zip(some, drops, strict=True):
            if drop is None:
                yield example
            else:
                writer.reject(Rejected(id=example.id, reason=printable(f"{built.entry.name}: {drop.reason}")))


def _filtered(
    built: Built[ExampleFilter], examples: Iterable[Example], facts: Facts, writer: StageWriter
) -> Iterator[Example]:
    with built.guarded():
        for decision in built.component.decide(examples, facts):
            if isinstance(decision, tuple):
                example, drop = decision
                writer.reject(Rejected(id=example.id, reason=printable(f"{built.entry.name}: {drop.reason}")))
            elif not isinstance(decision.example, Example):
                raise TypeError(f"it kept {type(decision.example).__name__}, which is no example")
            else:
                yield decision.example
