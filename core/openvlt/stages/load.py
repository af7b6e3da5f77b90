"""Load: a source's rows are validated and their images stored, once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from openvlt.errors import DataError, Reject, UsageError, closest
from openvlt.interfaces import ExampleFilter, Source
from openvlt.records import Example, Rejected, Row
from openvlt.registry import Built
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import StageWriter, digest

Facts = Mapping[str, Mapping[str, float]]


def load_step(
    name: str, iteration: int, source: Built[Source], split: str, limit: int | None, held_out_images: frozenset[str]
) -> Step:
    """The step that reads a split; `held_out_images` are the digests of images nothing may be trained on."""
    reader = source.component
    if split not in reader.splits:
        raise UsageError(f"The source {source.entry.name} has no split '{split}'.", closest(split, list(reader.splits)))
    made_of = (source.identity, reader.revision(), split, limit, sorted(held_out_images))
    return Step("load", name, iteration, (digest(*made_of),))


def load(
    workspace: Workspace,
    step: Step,
    source: Built[Source],
    split: str,
    limit: int | None,
    held_out_images: frozenset[str],
) -> Output:
    """Read a split: bad rows are rejected with a reason, images are checked and stored by digest.

    Raises:
        DataError: more rows were rejected than the recipe allows, or none is left.
    """
    started = time.monotonic()
    reader = source.component
    with claimed(workspace, step) as (folder, known):
        if known is not None:
            return output(step, folder, known, cached=True, started=started)
        workspace.progress.begin(step.name, limit or reader.size(split), "rows")
        writer = StageWriter(folder)
        try:
            taken = _read(workspace, reader.examples(split), source.entry.name, limit, held_out_images, writer)
        finally:
            writer.close()
        _check(workspace, step, source, taken, writer)
        summary = writer.finish({"in": taken})
        return output(step, folder, summary, cached=False, started=started)


def choose(
    workspace: Workspace,
    step: Step,
    inputs: Output,
    filters: Sequence[Built[ExampleFilter]],
    limit: int | None,
    facts: Facts,
) -> Output:
    """Apply example filters in order, then take the first `limit`."""
    started = time.monotonic()
    with claimed(workspace, step) as (folder, known):
        if known is not None:
            return output(step, folder, known, cached=True, started=started)
        workspace.progress.begin(step.name, inputs.record.out, "rows")
        writer = StageWriter(folder)
        try:
            examples: Iterator[Example] = (row.example for row in inputs.rows())
            for built in filters:
                examples = _filtered(built, examples, facts, writer)
            for example in examples:
                if limit is not None and writer.out >= limit:
                    writer.reject(Rejected(id=example.id, reason="beyond the limit"))
                    continue
                writer.row(Row(example=example))
                workspace.progress.advance(1)
        finally:
            writer.close()
        if not writer.out:
            reasons = "; ".join(f"{count} x {reason}" for reason, count in writer.rejected.most_common(3))
            raise DataError(
                f"Stage {step.name}: no example is left after filtering ({reasons}).",
                "Loosen the filters in the recipe.",
            )
        return output(step, folder, writer.finish({"in": inputs.record.out}), cached=False, started=started)


def image_digests(rows: Iterable[Row]) -> frozenset[str]:
    """Digests of all images of the rows."""
    return frozenset(image.sha256 for row in rows for image in row.example.images)


def _read(
    workspace: Workspace,
    examples: Iterable[Example | Rejected],
    source: str,
    limit: int | None,
    held_out_images: frozenset[str],
    writer: StageWriter,
) -> int:
    taken = 0
    seen: set[str] = set()
    for item in examples:
        if limit is not None and writer.out >= limit:
            break
        taken += 1
        try:
            writer.row(_accept(workspace, item, source, seen, held_out_images))
            workspace.progress.advance(1)
        except Reject as reject:
            writer.reject(Rejected(id=item.id, reason=reject.reason, transient=reject.transient))
    return taken


def _accept(
    workspace: Workspace, item: Example | Rejected, source: str, seen: set[str], held_out_images: frozenset[str]
) -> Row:
    if isinstance(item, Rejected):
        raise Reject(item.reason, transient=item.transient)
    if item.id in seen:
        raise Reject("duplicate id")
    if not item.answer.strip() and not item.metadata.get("unlabelled"):
        raise Reject("empty gold answer")
    if not item.question.strip() and not item.images:
        raise Reject("neither question nor image")
    example = replace(item, source=source, images=tuple(workspace.images.add(image) for image in item.images))
    if any(image.sha256 in held_out_images for image in example.images):
        raise Reject("image is in a benchmark")
    seen.add(item.id)
    return Row(example=example)


def _filtered(
    built: Built[ExampleFilter], examples: Iterable[Example], facts: Mapping[str, Any], writer: StageWriter
) -> Iterator[Example]:
    for decision in built.component.decide(examples, facts):
        if isinstance(decision, tuple):
            example, drop = decision
            writer.reject(Rejected(id=example.id, reason=f"{built.entry.name}: {drop.reason}"))
        else:
            yield decision.example


def _check(workspace: Workspace, step: Step, source: Built[Source], taken: int, writer: StageWriter) -> None:
    lost = taken - writer.out
    reasons = "; ".join(f"{count} x {reason}" for reason, count in writer.rejected.most_common(3)) or "it has no rows"
    if not writer.out or lost / taken > workspace.reject_above:
        raise DataError(
            f"Stage {step.name}: source {source.entry.name} lost {lost} of {taken} rows, over the limit of "
            f"{workspace.reject_above:.0%} ({reasons}).",
            f"Look at {writer.folder.path / 'rejected.jsonl'}, fix the data, or raise reject_above in the recipe.",
        )
