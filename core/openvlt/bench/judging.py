"""A language model where the official scoring asks one: what answer does a response give, and is it right?

Its replies are rows like any other: cached by what was asked, so that a second run asks only what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

from openvlt.bench.definition import Defined
from openvlt.bench.evaluate import Answered
from openvlt.bench.responses import Response
from openvlt.bench.scoring import Questions, Reading, trace_of
from openvlt.errors import RemoteError, UsageError
from openvlt.records import Completion, Example, Message, Model, Rejected, Row, Sampling, Verdict
from openvlt.stages.ask import Ask
from openvlt.stages.map import map_stage
from openvlt.stages.models import Resolved, resolve
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import RowStore, StageFolder, StageWriter, decode, digest

SAMPLING = Sampling(max_tokens=256)
SCORING = "official"

Words: TypeAlias = Callable[[Row], list[Message] | None]


@dataclass(frozen=True, slots=True)
class Replies:
    """What a judge said.

    Attributes:
        said: by id of the question.
        missing: ids it gave no reply to.
        tokens: of all its prompts and replies.
    """

    said: Mapping[str, str]
    missing: Sequence[str]
    tokens: int


def ask_judge(
    workspace: Workspace, defined: Defined, questions: Questions, answered: Answered, model: Model, reading: Reading
) -> Answered:
    """Let a judge extract the answers that rules cannot be sure of, and score them where the benchmark has it so.

    Questions the judge gives no reply to are failed: they widen the score, and the same command asks them again.

    Args:
        workspace: the means.
        defined: the benchmark, with its prompts for a judge.
        questions: its questions.
        answered: the responses; those that carry an extraction keep it.
        model: the judge.
        reading: how answers are found where the judge is not asked for them.

    Raises:
        UsageError: the benchmark asks no judge.
        RemoteError: the judge cannot be reached at all.
    """
    benchmark = defined.benchmark
    asked = [example for example in questions.examples if _has(answered, example.id)]
    if asked and not (benchmark.judge_extraction(asked[0], "so it is") or benchmark.judge_score(asked[0], "1")):
        raise UsageError(f"The scorings of {defined.name} ask no judge.", "Leave --judge out.")
    judge = resolve(model, workspace)

    def extraction(row: Row) -> list[Message] | None:
        response = answered.responses[row.example.id]
        return benchmark.judge_extraction(row.example, response.text) if response.extraction is None else None

    rows = [_row(example, answered.responses, workspace, reading) for example in asked]
    first = _replies(workspace, defined, "extract", judge, rows, extraction)
    responses = dict(answered.responses)
    for id, said in first.said.items():
        responses[id] = replace(responses[id], extraction=said)
    for id in first.missing:
        responses[id] = replace(responses[id], failed="the judge did not reply")
    rows = [_row(example, responses, workspace, reading) for example in asked if example.id not in first.missing]
    second = _replies(
        workspace, defined, "score", judge, rows, lambda row: benchmark.judge_score(row.example, _said(row))
    )
    failed = [*first.missing, *second.missing]
    notes = list(answered.notes)
    if failed:
        notes.append(f"the judge did not reply on {len(failed)} questions; run the same command again to ask it")
    return replace(
        answered,
        responses=responses,
        judge={
            "id": judge.model.id,
            "digest": judge.digest,
            "backend": judge.backend.entry.id,
            "decoding": asdict(SAMPLING),
            "prompts": digest([defined.built.options.get(key) for key in ("extract_prompt", "score_prompt")])[:16],
        },
        judge_tokens=first.tokens + second.tokens,
        verdicts={SCORING: _verdicts(second, first.missing)} if second.said or second.missing else {},
        notes=notes,
    )


def _verdicts(replies: Replies, failed: Sequence[str]) -> dict[str, Verdict]:
    found = {id: _verdict(said) for id, said in replies.said.items()}
    return {**found, **dict.fromkeys([*replies.missing, *failed], Verdict.error("the judge did not reply"))}


def _verdict(said: str) -> Verdict:
    digit = said.strip().rstrip(".")[-1:]
    if digit == "1":
        return Verdict.correct("the judge says so", tier="judge")
    if digit == "0":
        return Verdict.incorrect("the judge says so", tier="judge")
    return Verdict.error(f"the judge replied neither 1 nor 0: {said[:60]!r}")


def _has(answered: Answered, id: str) -> bool:
    return id in answered.responses and not answered.responses[id].failed


def _row(example: Example, responses: Mapping[str, Response], workspace: Workspace, reading: Reading) -> Row:
    return Row(example=example, traces=(trace_of(responses[example.id], workspace.format, reading),))


def _said(row: Row) -> str:
    return row.traces[0].answer or ""


def _replies(
    workspace: Workspace, defined: Defined, what: str, judge: Resolved, rows: Sequence[Row], words: Words
) -> Replies:
    prompts = {row.example.id: prompt for row in rows if (prompt := words(row)) is not None}
    asked = [row for row in rows if row.example.id in prompts]
    if not asked:
        return Replies({}, [], 0)
    work = Ask(
        workspace,
        defined.built.identity,
        judge,
        SAMPLING,
        messages=lambda row: prompts[row.example.id],
        parse=lambda completion: completion,
        kind=Completion,
    )
    inputs = _written(workspace, f"judge-{what}-{defined.name}", asked)
    step = Step("judge", inputs.record.name, 0, (work.identity, what, inputs.digest))
    problem: RemoteError | None = None
    try:
        map_stage(workspace, step, inputs, work, _unless_transient, len(asked))
    except RemoteError as error:
        problem = error
    replies = _read(workspace, work, asked)
    if problem and not replies.said:
        raise problem
    return replies


def _unless_transient(row: Row, values: Sequence[Any]) -> Row | Rejected:
    """Keep the stage open while a reply is missing that another run may still get."""
    (value,) = values
    return value if isinstance(value, Rejected) and value.transient else row


def _written(workspace: Workspace, name: str, rows: Sequence[Row]) -> Output:
    """The rows a judge is asked about, as a stage of their own."""
    step = Step("judge", name, 0, (digest(*rows),))
    with claimed(workspace, step) as (folder, known):
        return output(step, folder, known or _write(folder, rows), cached=True, started=0.0)


def _write(folder: StageFolder, rows: Sequence[Row]) -> dict[str, Any]:
    writer = StageWriter(folder)
    try:
        for row in rows:
            writer.row(row)
    finally:
        writer.close()
    return writer.finish({"in": len(rows)})


def _read(workspace: Workspace, work: Ask, rows: Sequence[Row]) -> Replies:
    """What the cache holds of the judge's replies, be it from this run or an earlier one."""
    said: dict[str, str] = {}
    missing: list[str] = []
    tokens = 0
    with RowStore(workspace.home.rows / work.identity) as store:
        for row in rows:
            (key,) = work.keys(row)
            line = store.get(key)
            value = json.loads(line).get("value") if line else None
            if value is None:
                missing.append(row.example.id)
                continue
            completion = decode(Completion, json.dumps(value))
            said[row.example.id] = completion.text.strip()
            tokens += completion.prompt_tokens + completion.completion_tokens
    return Replies(said, missing, tokens)
