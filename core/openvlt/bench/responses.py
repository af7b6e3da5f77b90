"""Responses made elsewhere: files of our own and of other tools, recognised by their columns (`layouts`)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from openvlt.bench.definition import Definition, define, define_on_file
from openvlt.bench.layouts import Layout
from openvlt.bench.matching import Matching
from openvlt.bench.questions import Questions, Responses, questions
from openvlt.bench.replies import read_responses
from openvlt.errors import DataError, counted
from openvlt.records import Rejected, Row, Trace
from openvlt.records.bench import UsedModel
from openvlt.stages.workspace import Step, Workspace, write_stage
from openvlt.store import decode, encode, file_digest

IN_MEMORY = 64 * 2**20
"""Bytes of responses that are kept in memory; more are in a temporary file until they are written in order."""


def read_file(
    workspace: Workspace, spec: Mapping[str, Any], file: Path, columns: Mapping[str, str] | None = None
) -> tuple[Definition, Responses]:
    """Read a file of responses, and the questions they are for.

    Args:
        workspace: of the command.
        spec: the benchmark. If neither it nor its file names data or a split, the gold answers are those of the file of
            responses where that has any.
        file: the responses.
        columns: paths by field, which replace those of the file's layout.

    Raises:
        DataError: the file or the data cannot be read, the file asks other questions than the data, or no response is
            for a question of the data.
    """
    read_responses(file, columns)  # says what is wrong with the file before the data is loaded
    registry, format = workspace.registry, workspace.format
    named = define(registry, spec, format)
    on_file = None if named.names_data or "split" in spec else define_on_file(registry, spec, format, file)
    definition = on_file or named
    asked = questions(workspace, definition, images=False, repeated=on_file is not None)
    responses = responses_to(workspace, definition, asked, file, columns)
    notes = [f"the gold answers are those of {file.name}"] if on_file else []
    return definition, replace(responses, notes=(*notes, *responses.notes))


def responses_to(
    workspace: Workspace,
    definition: Definition,
    asked: Questions,
    file: Path,
    columns: Mapping[str, str] | None = None,
) -> Responses:
    """The responses in a file, to questions.

    Raises:
        DataError: it has none, none is for one of the questions, or it asks others.
    """
    found = _collect(definition, asked, file, columns)
    made_of = ("responses", file_digest(file), asked.output.digest, found.layout)
    step = Step("bench", f"bench-{definition.name}-{file.stem}", 0, made_of)
    made = write_stage(workspace, step, lambda: _with_responses(asked, found), len(asked.ids))
    readable = dict.fromkeys(id for id in asked.ids if id not in asked.unreadable)
    known = dict.fromkeys([*found.at, *found.failed])
    unknown = _unknown(asked.ids, list(known), partial=asked.data.limit is not None)
    unanswered = tuple(id for id in readable if id not in known)
    counts = {found.counts[id] for id in readable if id in known} or {1}
    notes = [f"{file.name} is read as {found.layout.shown}"]
    if counts != {1}:
        span = " to ".join(f"{count}" for count in sorted({min(counts), max(counts)}))
        notes.append(f"there are {span} responses to a question, which are its samples")
    if found.lost and asked.data.limit is None:
        notes.append(f"{counted(found.lost, 'response')} without an id, whose question was not found in the data")
    if unknown:
        broken = sum(id not in known for id in asked.unreadable)
        perhaps = f" (perhaps of {counted(broken, 'row')} of it that cannot be read)" if broken else ""
        said = f"{counted(len(unknown), 'response')} for ids the data does not have{perhaps}"
        notes.append(f"{said}: {_first_few(unknown)}")
    if unanswered:
        said = f"{counted(len(unanswered), 'question')} without a response, counted as wrong"
        notes.append(f"{said}: {_first_few(unanswered)}")
    return Responses(
        questions=asked,
        output=made,
        failed={**{id: reason for id, reason in found.failed.items() if id in readable}, **asked.unreadable},
        unanswered=unanswered,
        samples=max(counts),
        extracted=found.extracted,
        model=UsedModel(responses=file.name),
        notes=tuple(notes),
        stages=(asked.output.record, made.record),
    )


@dataclass(slots=True)
class _Found:
    """The responses of a file. Their texts are in a temporary file, for they come in any order and may be many.

    Attributes:
        at: for each id, what its samples are ordered by, and where they are.
        failed: for each id, why a response is none.
        counts: number of responses by id, with those that are none.
        lost: number of responses whose question was not found.
    """

    layout: Layout
    at: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    failed: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    extracted: bool = False
    _texts: Any = field(default_factory=lambda: SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 - closed when unused

    def add(self, id: str, order: float, trace: Trace) -> None:
        self._texts.seek(0, 2)
        self.at[id].append((order, self._texts.tell()))
        self._texts.write(encode(trace) + b"\n")
        self.extracted |= trace.answer is not None

    def traces(self, id: str) -> tuple[Trace, ...]:
        """The samples of a question, in order."""
        return tuple(
            replace(self._trace(start), sample=sample) for sample, (_, start) in enumerate(sorted(self.at.get(id, ())))
        )

    def _trace(self, start: int) -> Trace:
        self._texts.seek(start)
        return decode(Trace, self._texts.readline())


def _collect(definition: Definition, asked: Questions, file: Path, columns: Mapping[str, str] | None) -> _Found:
    layout, rows = read_responses(file, columns)
    found, matching = _Found(layout), Matching(definition, asked, layout, file)
    row: Mapping[str, Any] = {}
    for answered in rows:
        row = answered.row
        ids = matching.id_of(answered)
        found.lost += not ids
        for id in ids:
            matching.check(id, answered)
            if len(ids) > 1:
                found.failed[id] = "its prompt is that of other questions, too, and the file has no ids"
                found.counts[id] = 1
                continue
            found.counts[id] += len(answered.replies)
            for reply in answered.replies:
                if isinstance(reply, Rejected):
                    found.failed[id] = reply.reason
                else:
                    found.add(id, answered.order, reply)
    matching.finish()
    if not found.at and not found.failed:
        raise DataError(
            f"{file} has no responses; the columns of its last row are {', '.join(row) or 'none'}.",
            "Name those of the id and the response: --columns id=...,response=...",
        )
    return found


def _with_responses(asked: Questions, found: _Found) -> Iterator[Row]:
    for row in asked.output.rows():
        readable = row.example.id not in asked.unreadable
        yield replace(row, traces=found.traces(row.example.id)) if readable else row


def _unknown(ids: Sequence[str], found: Sequence[str], *, partial: bool) -> list[str]:
    """Ids of responses to questions the data does not have; none if it was read only in part.

    Raises:
        DataError: no response is for a question of the data.
    """
    known = set(ids)
    unknown = [id for id in found if id not in known]
    if len(unknown) == len(found):
        raise DataError(
            f"None of the responses ({len(unknown)}) is for a question of the data: its ids are like "
            f"{', '.join(sorted(known)[:3])}, those of the responses like {', '.join(unknown[:3])}.",
            "Name the benchmark, split and data the responses were made for, or the ids: --columns id=...",
        )
    return [] if partial else unknown


def _first_few(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
