"""Filter: example filters choose among loaded examples by their content and by facts about them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

from openvlt.errors import DataError
from openvlt.interfaces import AskingExampleFilter, Drop, ExampleFilter, Keep
from openvlt.records import Example, Rejected, Row
from openvlt.registry import Built
from openvlt.results import check_decision, printable
from openvlt.stages.accepting import check_lost, decided
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
        DataError: the filters keep no example, or failed on too many.
    """
    started, asker = time.monotonic(), Asker(workspace)
    replies = asker.identities(filters)
    identities = [*(built.identity for built in filters), *replies]
    step = Step("filter", name, iteration, (identities, limit, inputs.digest, facts))
    with claimed(workspace, step) as (folder, known):
        if known is not None:
            return output(step, folder, known, cached=True, started=started)
        workspace.progress.begin(step.name, inputs.record.out, "rows")
        writer, lost = StageWriter(folder), list[str]()
        try:
            examples: Iterator[Example] = (row.example for row in inputs.rows())
            for built in filters:
                if isinstance(built.component, AskingExampleFilter):
                    found = _asked(built, examples, writer, asker, limit)
                else:
                    found = _decided(workspace, built, examples, facts)
                examples = _kept(built, found, writer, lost)
            for example in examples:
                if limit is not None and writer.out >= limit:
                    writer.reject(Rejected(id=example.id, reason="beyond the limit"))
                    continue
                writer.row(Row(example=example))
                workspace.progress.advance(1)
        finally:
            writer.close()
            asker.close()
        check_lost(workspace, step, writer, len(lost), inputs.record.out)
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
) -> Iterator[tuple[Example, Keep | Drop | Rejected]]:
    """Ask about many examples at once, and about none once the limit is reached."""
    while some := list(islice(examples, READ_TOGETHER)):
        is_full = limit is not None and writer.out >= limit
        drops = [None] * len(some) if is_full else asker.drops(built, some, lambda example: example.id)
        yield from ((example, drop or Keep(example)) for example, drop in zip(some, drops, strict=True))


def _decided(
    workspace: Workspace, built: Built[ExampleFilter], examples: Iterator[Example], facts: Facts
) -> Iterator[tuple[Example, Keep | Drop | Rejected]]:
    def decide(rows: Iterator[Example]) -> Iterator[tuple[str, Keep | Drop]]:
        for found in built.component.decide(rows, facts):
            decision = check_decision(found)
            if isinstance(decision, Keep):
                yield decision.example.id, decision
            else:
                yield decision[0].id, decision[1]

    yield from decided(workspace, built, "decide", examples, lambda example: example.id, decide)


def _kept(
    built: Built[ExampleFilter],
    decisions: Iterable[tuple[Example, Keep | Drop | Rejected]],
    writer: StageWriter,
    lost: list[str],
) -> Iterator[Example]:
    """The examples that are kept; the others are rejected, and those that the filter failed on are lost."""
    for example, found in decisions:
        if isinstance(found, Keep):
            yield found.example
        elif isinstance(found, Rejected):
            lost.append(example.id)
            writer.reject(found)
        else:
            writer.reject(Rejected(id=example.id, reason=printable(f"{built.entry.name}: {found.reason}")))
