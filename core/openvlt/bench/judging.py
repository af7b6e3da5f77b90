"""A language model where the official scoring asks one: what answer does a response give, and is it right?

Its replies are rows like any other: cached by what was asked, so that a second run asks only what is missing. A reply
that cannot be used (empty, cut, neither 1 nor 0) is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeAlias

from openvlt.bench.answered import Answered
from openvlt.bench.definition import Defined
from openvlt.bench.replies import ASK_AGAIN, AskAgain, Replies, replies
from openvlt.bench.responses import Response
from openvlt.bench.scoring import Questions, Reading, trace_of
from openvlt.engines import Resolved
from openvlt.errors import Reject, UsageError
from openvlt.records import Completion, Example, Message, Model, Row, Sampling, Trace, Verdict
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import StageFolder, StageWriter, digest

SAMPLING = Sampling(max_tokens=2048)
"""Greedy; the limit leaves room for a judge that reasons first."""

SCORING = "official"
THOUGHTS_END = "</think>"

Words: TypeAlias = Callable[[Row], list[Message] | None]
Read: TypeAlias = Callable[[str], str]


def ask_judge(
    workspace: Workspace, defined: Defined, questions: Questions, answered: Answered, model: Model, reading: Reading
) -> Answered:
    """Let a judge extract the answers that rules cannot be sure of, and score them where the benchmark has it so.

    Questions the judge gives no usable reply to are failed: they widen the score, and the same command asks them again.

    Args:
        workspace: the means.
        defined: the benchmark, with its prompts for a judge.
        questions: its questions.
        answered: the responses; those that carry an extraction keep it.
        model: the judge.
        reading: how answers are found where the judge is not asked for them.

    Raises:
        UsageError: the benchmark asks no judge.
        RemoteError: the judge gives not one reply, or can no longer be asked at all.
    """
    benchmark = defined.benchmark
    asked = [example for example in questions.examples if _has(answered, example.id)]
    if asked and not (benchmark.judge_extraction(asked[0], "so it is") or benchmark.judge_score(asked[0], "1")):
        raise UsageError(f"The scorings of {defined.name} ask no judge.", "Leave --judge out.")
    judge = workspace.resolve(model)

    def extraction(row: Row) -> list[Message] | None:
        response = answered.responses[row.example.id]
        return benchmark.judge_extraction(row.example, response.text) if response.extraction is None else None

    rows = [_row(example, answered.responses, workspace, reading) for example in asked]
    first = _replies(workspace, defined, "extract", judge, rows, extraction, _answer)
    responses = dict(answered.responses)
    for id, trace in first.traces.items():
        responses[id] = replace(responses[id], extraction=trace.answer)
    for id, reason in first.missing.items():
        responses[id] = replace(responses[id], failed=_failure(reason))
    rows = [_row(example, responses, workspace, reading) for example in asked if example.id not in first.missing]
    second = _replies(
        workspace, defined, "score", judge, rows, lambda row: benchmark.judge_score(row.example, _said(row)), _digit
    )
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
        verdicts={SCORING: _verdicts(second, first.missing)} if second.traces or second.missing else {},
        notes=[*answered.notes, *([ASK_AGAIN] if first.missing or second.missing else [])],
    )


def _verdicts(second: Replies, first_missing: Mapping[str, str]) -> dict[str, Verdict]:
    found = {id: _verdict(trace) for id, trace in second.traces.items()}
    missing = {**first_missing, **second.missing}
    return {**found, **{id: Verdict.error(_failure(reason)) for id, reason in missing.items()}}


def _verdict(trace: Trace) -> Verdict:
    right = trace.answer == "1"
    return (Verdict.correct if right else Verdict.incorrect)("the judge says so", tier="judge")


def _failure(reason: str) -> str:
    return f"judge: {reason}"


def _answer(text: str) -> str:
    if not text:
        raise Reject("its reply is empty")
    return text


def _digit(text: str) -> str:
    digit = text.rstrip(".")[-1:]
    if digit not in ("0", "1"):
        raise Reject("it replied neither 1 nor 0")
    return digit


def _has(answered: Answered, id: str) -> bool:
    return id in answered.responses and not answered.responses[id].failed


def _row(example: Example, responses: Mapping[str, Response], workspace: Workspace, reading: Reading) -> Row:
    return Row(example=example, traces=(trace_of(responses[example.id], workspace.format, reading),))


def _said(row: Row) -> str:
    return row.traces[0].answer or ""


def _replies(
    workspace: Workspace, defined: Defined, what: str, judge: Resolved, rows: Sequence[Row], words: Words, read: Read
) -> Replies:
    prompts = {row.example.id: prompt for row in rows if (prompt := words(row)) is not None}
    asked = [row for row in rows if row.example.id in prompts]
    if not asked:
        return Replies({}, {})

    def parse(completion: Completion) -> Trace:
        if completion.finish_reason == "length":
            raise Reject(f"its reply was cut at {SAMPLING.max_tokens} tokens")
        text = completion.text.rpartition(THOUGHTS_END)[2].strip()
        return Trace(think="", answer=read(text), raw=completion.text)

    work = AskAgain(
        workspace,
        digest(defined.built.identity, what),
        judge,
        SAMPLING,
        messages=lambda row: prompts[row.example.id],
        parse=parse,
        kind=Trace,
    )
    inputs = _written(workspace, f"judge-{what}-{defined.name}", asked)
    return replies(workspace, Step("judge", inputs.record.name, 0, (work.identity, inputs.digest)), inputs, work)


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
