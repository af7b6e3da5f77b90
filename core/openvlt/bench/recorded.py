"""Replies for which no model is asked: a guesser's, a file of responses, those of an earlier result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from openvlt.bench.aggregate import STORED
from openvlt.bench.definition import Defined, carries_golds, define
from openvlt.bench.questions import Answered, Questions, questions
from openvlt.bench.responses import Response, read_responses
from openvlt.bench.result import Result
from openvlt.errors import DataError, UsageError
from openvlt.records import Example, Row, Trace
from openvlt.records.bench import UsedModel, UsedPrompt
from openvlt.stages.workspace import Step, Workspace, write_stage
from openvlt.store import file_digest


def guess(
    workspace: Workspace,
    name: str,
    questions: Questions,
    defined: Defined,
    baseline: str,
    guesser: Callable[[Example], str],
) -> Answered:
    """Let a guesser without a model answer (stage ``bench-BENCHMARK-BASELINE``)."""

    def guessed(row: Row) -> Row:
        if row.example.id in questions.unreadable:
            return row
        guess = guesser(row.example)
        return replace(row, traces=(Trace(think="", answer=guess, raw=guess),))

    step = Step("bench", name, 0, (defined.built.identity, "guess", baseline, questions.output.digest))
    made = write_stage(workspace, step, lambda: map(guessed, questions.output.rows()), questions.output.record.out)
    return Answered(
        questions=questions,
        output=made,
        failed=questions.unreadable,
        model=UsedModel(id=baseline),
        prompt=UsedPrompt(asked="none", digest="none", format=workspace.format),
        stages=(made.record,),
    )


def read_file(
    workspace: Workspace,
    name: str,
    file: Path,
    *,
    data: Path | None = None,
    split: str | None = None,
    limit: int | None = None,
) -> tuple[Defined, Answered]:
    """Read a file of responses, and the questions they are for.

    The gold answers come from `data`; else from the file itself where it has them; else from the hub.

    Raises:
        DataError: the file or the data cannot be read, or no response is for a question of the data.
    """
    registry, format = workspace.registry, workspace.format
    responses = read_responses(file)
    own = None if data or split else carries_golds(registry, name, format, file)
    defined = own or define(registry, name, format, data=data, split=split)
    asked = questions(workspace, defined, limit, images=False)
    ids = [row.example.id for row in asked.output.rows()]
    step = Step("bench", f"bench-{defined.name}-{file.stem}", 0, ("responses", file_digest(file), asked.output.digest))
    made = write_stage(workspace, step, lambda: _answered(asked, responses), len(ids))
    failed = {id: responses[id].failed for id in ids if id in responses and responses[id].failed}
    unknown = [] if limit else _unknown(ids, responses)
    missing = [id for id in ids if id not in responses and id not in asked.unreadable]
    notes = [f"the gold answers are those of {file.name}"] if own else []
    if unknown:
        notes.append(f"{len(unknown)} responses are for ids the data does not have: {_some(unknown)}")
    if missing:
        notes.append(f"{len(missing)} questions have no response and count as wrong: {_some(missing)}")
    return defined, Answered(
        questions=asked,
        output=made,
        failed={**failed, **asked.unreadable},
        model=UsedModel(responses=file.name),
        notes=tuple(notes),
        stages=(asked.output.record, made.record),
    )


def read_back(
    workspace: Workspace, result: Result, name: str | None = None, *, anew: bool = False
) -> tuple[Defined, Answered]:
    """The questions and replies of an earlier result, to be scored by another protocol.

    Args:
        workspace: its format is the result's.
        result: the earlier one.
        name: the YAML file of a benchmark with other scorings; the result's own benchmark if None.
        anew: a judge is asked anew, so that what an earlier one found does not count.

    Raises:
        UsageError: the result is of another benchmark.
    """
    registry, record = workspace.registry, result.record
    protocol, own = record.protocol, record.protocol.benchmark
    if not name and registry.find("benchmark", own).name != record.benchmark:
        raise UsageError(f"The run is of the benchmark file '{record.benchmark}'.", "Name that file, too.")
    defined = define(registry, name or own, workspace.format)
    if name and not defined.is_file and defined.name != record.benchmark:
        raise UsageError(f"The run is of the benchmark {record.benchmark}, not {defined.name}.", "Name that one.")
    judged = () if anew else tuple(name for name in record.scores if name not in protocol.scoring)
    stored = protocol.extraction == STORED or (protocol.extraction == "judge" and not anew)
    step = Step("bench", f"bench-{defined.name}-again", 0, ("again", result.digest, judged, stored))
    made = write_stage(workspace, step, lambda: _again(result, judged, stored), None)
    replied = {row.example.id for row in made.rows() if row.traces} if anew else set()
    return defined, Answered(
        questions=Questions(made, {}, protocol.data),
        output=made,
        # One that only a judge failed on has a reply, which another judge may read.
        failed={id: reason for id, reason in record.failed.items() if id not in replied},
        model=protocol.model,
        prompt=protocol.prompt,
        sampling=protocol.decoding,
        seconds=record.seconds,
        judge=None if anew else protocol.judge,
        judge_tokens=0 if anew else record.judge_tokens,
        judged=judged,
        stages=(made.record,),
    )


def _answered(asked: Questions, responses: Mapping[str, Response]) -> Iterator[Row]:
    for row in asked.output.rows():
        response = responses.get(row.example.id)
        if response is None or response.failed or row.example.id in asked.unreadable:
            yield row
        else:
            yield replace(row, traces=(response.trace,))


def _again(result: Result, judged: tuple[str, ...], stored: bool) -> Iterator[Row]:
    """The rows of a result without their verdicts, but for those of a judge that still count."""
    record = result.record
    for row in result.rows():
        (found,) = row.judged
        trace = replace(found.trace, answer=found.trace.answer if stored else None)
        kept = {name: found.verdicts[name] for name in judged}
        if not trace.raw and (row.example.id in record.failed or row.example.id in record.unanswered):
            yield Row(example=row.example)
        elif kept:
            yield Row(example=row.example, judged=(replace(found, trace=trace, verdicts=kept),))
        else:
            yield Row(example=row.example, traces=(trace,))


def _unknown(ids: list[str], responses: Mapping[str, Response]) -> list[str]:
    """Ids of responses to questions the data does not have.

    Raises:
        DataError: not one response is for a question of the data.
    """
    known = set(ids)
    unknown = [id for id in responses if id not in known]
    if len(unknown) == len(responses):
        raise DataError(
            f"None of the {len(unknown)} responses is for a question of the data: its ids are like "
            f"{', '.join(sorted(known)[:3])}, those of the responses like {', '.join(unknown[:3])}.",
            "Name the benchmark, split and data the responses were made for.",
        )
    return unknown


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
