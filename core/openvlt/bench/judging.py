"""An LLM as judge where the official scoring asks one: what answer does a response give, and is it right?

Its replies are cached like any other, so that a second run asks only what is missing. A reply that cannot be used
(empty, cut, neither 1 nor 0) is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from openvlt.bench.asking import Put, Replies, again, replies, worded
from openvlt.bench.definition import PROBE, Defined
from openvlt.bench.questions import Answered
from openvlt.bench.score import Reading, given, read
from openvlt.errors import Reject, UsageError
from openvlt.records import Completion, Judged, Message, Model, Rejected, Row, Sampling, Trace, Verdict
from openvlt.records.bench import UsedJudge
from openvlt.stages.workspace import Step, Workspace

SAMPLING = Sampling(max_tokens=2048)
"""Greedy; the limit leaves room for a judge that reasons first."""

SCORING = "official"
THOUGHTS_END = "</think>"

Words: TypeAlias = Callable[[Row, Trace], list[Message] | None]


def ask_judge(workspace: Workspace, defined: Defined, answered: Answered, model: Model, reading: Reading) -> Answered:
    """Let a judge extract the answers that rules cannot be sure of, and score them where the benchmark has it so.

    Questions the judge gives no usable reply to are failed: they widen the score.

    Args:
        workspace: the means.
        defined: the benchmark, with its prompts for a judge.
        answered: the replies; an answer that was extracted already is kept.
        model: the judge.
        reading: how answers are found where the judge is not asked for them.

    Returns:
        The replies with the answers and verdicts of the judge.

    Raises:
        UsageError: the benchmark asks no judge.
        RemoteError: the judge gives not one reply, or can no longer be asked at all.
    """
    benchmark, judge = defined.benchmark, workspace.resolve(model)
    replied = (row for row in answered.output.rows() if given(row) and row.example.id not in answered.failed)
    first = next(replied, None)
    if first is None:
        return answered
    scores = benchmark.judge_score(first.example, PROBE) is not None
    if not defined.asks_judge(first.example):
        raise UsageError(f"The scorings of {defined.name} ask no judge.", "Leave --judge out.")

    def extraction(row: Row, trace: Trace) -> list[Message] | None:
        return benchmark.judge_extraction(row.example, trace.raw) if trace.answer is None else None

    def scoring(row: Row, trace: Trace) -> list[Message] | None:
        return benchmark.judge_score(row.example, read(trace, workspace.format, reading).answer or "")

    def asked(answered: Answered, what: str, words: Words, put: Put) -> tuple[Answered, dict[str, Rejected]]:
        def messages(row: Row) -> list[Message] | None:
            trace = given(row)
            return words(row, trace) if trace and row.example.id not in answered.failed else None

        work = Replies(
            workspace, f"judge-{what}", judge, SAMPLING,
            messages=lambda row: messages(row) or [], parse=_checked(what), value_type=Completion,
            asks=lambda row: messages(row) is not None, put=put,
        )  # fmt: skip
        inputs = answered.output
        prompts, _ = worded(inputs.rows(), lambda row: [messages(row)])
        step = Step("judge", f"judge-{what}-{defined.name}", 0, (work.identity, prompts, inputs.digest))
        made, missing = replies(workspace, step, inputs, work)
        tokens = answered.judge_tokens + int(made.record.counts.get("total_tokens", 0))
        stages = (*answered.stages, made.record)
        return replace(answered, output=made, judge_tokens=tokens, stages=stages), missing

    answered, missing = asked(answered, "extract", extraction, _extracted)
    failed = {id: _failure(each) for id, each in missing.items()}
    answered = replace(answered, failed={**answered.failed, **failed})
    if scores:
        answered, unscored = asked(answered, "score", scoring, _scored)
        missing |= unscored
    # Worded for one fixed response: the digest tells the prompts, whatever a model replied.
    probes, _ = worded(
        answered.output.rows(),
        lambda row: [benchmark.judge_extraction(row.example, PROBE), benchmark.judge_score(row.example, PROBE)],
    )
    used = UsedJudge(
        id=judge.model.id, digest=judge.digest, backend=judge.backend.entry.id, decoding=SAMPLING, prompts=probes[:16]
    )
    notes = (*answered.notes, *again(missing))
    return replace(answered, judge=used, judged=(SCORING,) if scores else (), notes=notes)


def _checked(what: str) -> Callable[[Completion], Completion]:
    def check(reply: Completion) -> Completion:
        if reply.finish_reason == "length":
            raise Reject(f"its reply was cut at {SAMPLING.max_tokens} tokens")
        text = _said(reply)
        if not text:
            raise Reject("its reply is empty")
        if what == "score" and text.rstrip(".")[-1:] not in ("0", "1"):
            raise Reject("it replied neither 1 nor 0")
        return reply

    return check


def _said(reply: Completion) -> str:
    """The reply without the thoughts of a judge that reasons first."""
    return reply.text.rpartition(THOUGHTS_END)[2].strip()


def _extracted(row: Row, reply: Completion | Rejected) -> Row:
    trace = given(row)
    if trace is None or isinstance(reply, Rejected):
        return row
    return replace(row, traces=(replace(trace, answer=_said(reply)),))


def _scored(row: Row, reply: Completion | Rejected) -> Row:
    trace = given(row)
    assert trace is not None
    return replace(row, traces=(), judged=(Judged(trace=trace, verdicts={SCORING: _verdict(reply)}),))


def _verdict(reply: Completion | Rejected) -> Verdict:
    if isinstance(reply, Rejected):
        return Verdict.error(_failure(reply))
    right = _said(reply).rstrip(".").endswith("1")
    return (Verdict.correct if right else Verdict.incorrect)("the judge replied so", tier="judge")


def _failure(reply: Rejected) -> str:
    return f"judge: {reply.reason}"
