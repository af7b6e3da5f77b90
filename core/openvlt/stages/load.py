"""Load: rows of a source are validated and their images stored once."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import gettempdir
from typing import Any, TextIO

from openvlt.errors import DataError, Reject, RemoteError, UsageError, closest
from openvlt.interfaces import Source
from openvlt.records import Example, Rejected, Row
from openvlt.registry import Built
from openvlt.results import check_size, check_type
from openvlt.stages.accepting import accepted, rejected
from openvlt.stages.filter import Choosing
from openvlt.stages.near_duplicates import COUNT, HASHES, PAIRS, BenchmarkQuestions, reason, write_pair
from openvlt.stages.picture_files import changed_file, stamps_of
from openvlt.stages.workspace import NotDone, Output, Step, Workspace, claimed, lost_too_many, output, reused
from openvlt.store import StageFolder, StageWriter, digest, writing

FIRST = 100
"""Rows that are looked at before any work."""
PICTURES = "pictures.jsonl"
"""File of a load stage that names the files of its pictures."""


def check_split(source: Built[Source], split: str) -> None:
    """Check that a source has a split.

    Raises:
        UsageError: it does not; the message names the closest one.
    """
    splits = source.component.splits
    if splits and split not in splits:
        raise UsageError(f"The source {source.entry.name} has no split '{split}'.", closest(split, list(splits)))


def check_rows(workspace: Workspace, built: Built[Any], source: Source, who: str, split: str) -> None:
    """Look at the first rows of data on this machine; a source of other data is not read.

    Args:
        workspace: of the run.
        built: the source, or the benchmark that has it.
        source: the source.
        who: has it, for messages: ``source rows``.
        split: which of its splits.

    Raises:
        DataError: the data cannot be read, or each of the first rows is rejected.
    """
    rows = list(islice(accepted(workspace, built, source, split), FIRST)) if source.is_local else []
    reasons = Counter(row.reason for row in rows if isinstance(row, Rejected) and not row.transient)
    if rows and reasons.total() == len(rows):
        ((reason, count),) = reasons.most_common(1)
        raise DataError(
            f"The {who} can use none of its first {len(rows)} rows ({count} x {reason}).",
            "Fix the data, or name its columns in the options of the source.",
        )


def load(
    workspace: Workspace,
    name: str,
    iteration: int,
    source: Built[Source],
    split: str,
    limit: int | None = None,
    held_out_images: frozenset[str] = frozenset(),
    choosing: Choosing | None = None,
    *,
    questions: BenchmarkQuestions | None = None,
) -> Output:
    """Read a split: bad rows are rejected with a reason, images checked and stored by digest.

    Args:
        workspace: of the run.
        name: of the stage.
        iteration: of the stage.
        source: the component.
        split: which of its splits.
        limit: maximum number of rows.
        held_out_images: digests of benchmark images; rows that contain one are rejected, so that nothing trains on it.
        choosing: reading ends as soon as its filters have kept enough of the rows; all that were read are rows.
        questions: of benchmarks; rows that repeat one are rejected and listed. They are no loss.

    Raises:
        UsageError: the source has no such split.
        DataError: more rows were rejected than the recipe allows, or none is left.
        RemoteError: the machine failed to read some; the next run may do better.
    """
    check_split(source, split)
    started = time.monotonic()
    reader = source.component
    with source.guarded("revision"):
        revision = check_type(reader.revision(), str, "text")
    made_of = (source.identity, revision, split, limit, sorted(held_out_images))
    by = [*([choosing.identity] if choosing else []), *([questions.identity] if questions else [])]
    step = Step("load", name, iteration, (digest(*made_of, *by),))
    with claimed(workspace, step) as (folder, known):
        if known is not None and (changed := changed_file(folder.path / PICTURES)) is None:
            return reused(workspace, step, folder, known, started)
        if workspace.dry_run:
            raise NotDone(step)
        if known is not None:
            workspace.progress.note(f"{step.name}: {changed} has changed, so the rows are loaded again.")
        with source.guarded("size"):
            size = check_size(reader.size(split))
        workspace.progress.begin(step.name, limit or size, "rows")
        summary = _load(workspace, step, folder, source, split, limit, held_out_images, choosing, questions=questions)
        return output(step, folder, summary, cached=False, started=started)


def _load(
    workspace: Workspace,
    step: Step,
    folder: StageFolder,
    source: Built[Source],
    split: str,
    limit: int | None,
    held_out_images: frozenset[str],
    choosing: Choosing | None,
    *,
    questions: BenchmarkQuestions | None,
) -> dict[str, Any]:
    writer, pictures, counts = StageWriter(folder), folder.path / PICTURES, Counter[str]()
    (folder.path / PAIRS).unlink(missing_ok=True)
    try:
        with writing(pictures):
            stamps = pictures.open("w", encoding="utf-8")
        with stamps:
            examples = accepted(workspace, source, source.component, split)
            read = _read(workspace, examples, source.entry.name, held_out_images, questions, writer, stamps, counts)
            enough = choosing.kept(read, lambda dropped: None) if choosing else read
            for _ in islice(enough, choosing.choice.limit if choosing else limit):
                pass
    finally:
        writer.close()
        if choosing:
            choosing.close()
    taken = counts["in"]
    _check(workspace, step, source, taken, taken - writer.out - counts[COUNT], writer)
    workspace.images.sync()
    if not counts["with_image"]:
        workspace.progress.note(f"{step.name}: none of the {writer.out} rows has an image.")
    looked_for = {COUNT: counts[COUNT]} if questions else {}
    values = {"values": HASHES} if questions else {}
    return writer.finish({"in": taken, "counts": {"with_image": counts["with_image"], **looked_for}, **values})


def image_digests(rows: Iterable[Row]) -> frozenset[str]:
    """Digests of all images of the rows."""
    return frozenset(image.sha256 for row in rows for image in row.example.images)


def _read(
    workspace: Workspace,
    examples: Iterable[Example | Rejected],
    source: str,
    held_out_images: frozenset[str],
    questions: BenchmarkQuestions | None,
    writer: StageWriter,
    stamps: TextIO,
    counts: Counter[str],
) -> Iterator[Example]:
    """Write the rows, and before each is read, the stamps of its pictures; yields what is written.

    Counts the rows that were read (``in``), those written that have an image (``with_image``), and the near-duplicates.
    """
    ids = sqlite3.connect("")  # a temporary file: in memory the ids of a million rows take 100 MB
    ids.execute("CREATE TABLE seen (id TEXT PRIMARY KEY) WITHOUT ROWID")
    for item in examples:
        counts["in"] += 1
        with writing(Path(stamps.name)):
            stamps.write(stamps_of(item))
        try:
            row = _accept(workspace, item, source, ids, held_out_images)
            if questions and (pair := questions.find(row.example)):
                counts[COUNT] += 1
                write_pair(writer.folder.path / PAIRS, pair)
                raise Reject(reason(pair.benchmark))
            writer.row(row)
        except Reject as reject:
            files = item.image_files if isinstance(item, Example) else []
            where = ", ".join([f"row {counts['in']}", *map(str, files)])
            fault = isinstance(item, Rejected) and item.fault
            writer.reject(replace(rejected(item.id, reject), where=where, fault=fault))
            continue
        counts["with_image"] += bool(row.example.images)
        workspace.progress.advance(1)
        yield row.example


def _accept(
    workspace: Workspace,
    item: Example | Rejected,
    source: str,
    ids: sqlite3.Connection,
    held_out_images: frozenset[str],
) -> Row:
    if isinstance(item, Rejected):
        raise Reject(item.reason, transient=item.transient)
    if ids.execute("SELECT 1 FROM seen WHERE id = ?", (item.id,)).fetchone():
        raise Reject("duplicate id")
    if not item.answer.strip() and not item.metadata.get("unlabelled"):
        raise Reject("empty gold answer")
    if not item.question.strip() and not item.images:
        raise Reject("neither question nor image")
    example = replace(item, source=source, images=tuple(workspace.images.add(image) for image in item.images))
    if any(image.sha256 in held_out_images for image in example.images):
        raise Reject("image is in a benchmark")
    with writing(Path(gettempdir())):
        ids.execute("INSERT INTO seen VALUES (?)", (item.id,))
    return Row(example=example)


def _check(workspace: Workspace, step: Step, source: Built[Source], taken: int, lost: int, writer: StageWriter) -> None:
    reasons = "; ".join(f"{count} x {reason}" for reason, count in writer.rejected.most_common(3)) or "it has no rows"
    if writer.transient:
        raise RemoteError(
            f"Stage {step.name}: {writer.transient} of {taken} rows cannot be read for now ({reasons}).",
            "Run the same command again when the machine and its disks can read them.",
        )
    if not writer.out or lost / taken > workspace.reject_above:
        what = f"Stage {step.name}: source {source.entry.name}"
        raise lost_too_many(workspace, writer, what, lost, taken, "fix the data")
