"""An LLM as judge, where the official scoring asks one: what answer does a response give, and is it right?

The judge's replies are cached like any others, so that a second run asks only for the missing ones. A reply that cannot
be used (empty, cut, neither 1 nor 0) counts as missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from openvlt.bench.asking import Attach, RawReplies, collect, digest_prompts, retry_notes
from openvlt.bench.definition import PROBE, Definition
from openvlt.bench.questions import Responses
from openvlt.bench.score import read, reading_of, trace_of
from openvlt.engines import Resolved
from openvlt.errors import Reject, UsageError
from openvlt.records import Completion, Judged, Message, Model, Rejected, Row, Sampling, Trace, Verdict
from openvlt.records.bench import UsedJudge
from openvlt.results import check_messages
from openvlt.stages.accepting import rejecting
from openvlt.stages.workspace import Step, Workspace

SAMPLING = Sampling(max_tokens=2048)
"""Greedy; the limit leaves room for a judge that reasons first."""

SCORING = "official"
THOUGHTS_END = "</think>"

Purpose: TypeAlias = Literal["extract", "score"]
Words: TypeAlias = Callable[[Row, Trace], list[Message] | None]
"""Words the prompt about a response; None if the judge is not needed."""


def ask_judge(workspace: Workspace, definition: Definition, responses: Responses, model: Model) -> Responses:
    """Let a judge extract the answers that rules cannot be sure of, and score them if the benchmark says so.

    A question for which the judge gives no usable reply is failed, and so widens the score.

    Args:
        workspace: of the run.
        definition: the benchmark, with its prompts for a judge.
        responses: what to judge; an answer that was extracted already is kept.
        model: the judge.

    Returns:
        The responses with the answers and verdicts of the judge.

    Raises:
        UsageError: the benchmark asks no judge, or there are several responses to a question.
        RemoteError: no request to the judge succeeded, or it cannot be asked any more.
    """
    if responses.samples > 1:
        raise UsageError("A judge reads one response to each question, and there are several.", "Omit --judge.")
    benchmark, judge = definition.benchmark.component, _Judge(workspace, definition, workspace.resolve(model))
    usable = (row for row in responses.output.rows() if trace_of(row) and row.example.id not in responses.failed)
    first = next(usable, None)
    if first is None:
        return responses
    if not definition.asks_judge(first.example):
        raise UsageError(f"The scorings of {definition.name} ask no judge.", "Omit --judge.")
    reading = reading_of(definition, responses.prompt.asked)

    def judge_extraction(row: Row, trace: Trace) -> list[Message] | None:
        return benchmark.judge_extraction(row.example, trace.raw) if trace.answer is None else None

    def judge_score(row: Row, trace: Trace) -> list[Message] | None:
        return benchmark.judge_score(row.example, read(trace, workspace.format, reading, row.example).answer or "")

    responses, missing = judge.ask(responses, "extract", judge_extraction, _attach_answer)
    failed = {id: _failure(each) for id, each in missing.items()}
    responses = replace(responses, failed={**responses.failed, **failed})
    with definition.benchmark.guarded("judge_score"):
        scores = benchmark.judge_score(first.example, PROBE) is not None
    if scores:
        responses, unscored = judge.ask(responses, "score", judge_score, _attach_verdict)
        missing |= unscored

    # Worded for one fixed response, so that the digest depends on the prompts alone.
    def probing(row: Row) -> list[list[Message] | None]:
        with rejecting(workspace, definition.benchmark, "judge_extraction", row.example.id):
            return [benchmark.judge_extraction(row.example, PROBE), benchmark.judge_score(row.example, PROBE)]

    probes, _ = digest_prompts(responses.output.rows(), probing)
    used = UsedJudge(
        id=judge.model.model.id, digest=judge.model.digest, backend=judge.model.backend.entry.id, decoding=SAMPLING,
        prompts=probes[:16],
    )  # fmt: skip
    notes = (*responses.notes, *retry_notes(missing))
    return replace(responses, judge=used, judged=(SCORING,) if scores else (), notes=notes)


@dataclass(frozen=True)
class _Judge:
    """The judge of one benchmark."""

    workspace: Workspace
    definition: Definition
    model: Resolved

    def ask(
        self, responses: Responses, purpose: Purpose, words: Words, attach: Attach
    ) -> tuple[Responses, dict[str, Rejected]]:
        """Ask about each response that needs it; returns the failed requests by id, too."""

        def messages(row: Row) -> list[Message] | None:
            trace = trace_of(row)
            if trace is None or row.example.id in responses.failed:
                return None
            with rejecting(self.workspace, self.definition.benchmark, words.__name__, row.example.id):
                found = words(row, trace)
                return None if found is None else check_messages(found)

        work = RawReplies(
            self.workspace, self.definition.benchmark, f"judge-{purpose}", self.model, SAMPLING,
            messages=lambda row: messages(row) or [], parse=lambda reply: _checked(reply, purpose),
            value_type=Completion, attach=attach,
            is_asked=lambda row: row.example.id not in refused and messages(row) is not None,
        )  # fmt: skip
        inputs = responses.output
        prompts, refused = digest_prompts(inputs.rows(), lambda row: [messages(row)])
        step = Step("judge", f"judge-{purpose}-{self.definition.name}", 0, (work.identity, prompts, inputs.digest))
        made, missing = collect(self.workspace, step, inputs, work)
        tokens = responses.judge_tokens + int(made.record.counts.get("total_tokens", 0))
        stages = (*responses.stages, made.record)
        failed = {**responses.failed, **refused}
        return replace(responses, output=made, failed=failed, judge_tokens=tokens, stages=stages), missing


def _checked(reply: Completion, purpose: Purpose) -> Completion:
    if reply.finish_reason == "length":
        raise Reject(f"its reply was cut at {SAMPLING.max_tokens} tokens")
    text = _without_thoughts(reply)
    if not text:
        raise Reject("its reply is empty")
    if purpose == "score" and text.rstrip(".")[-1:] not in ("0", "1"):
        raise Reject("it replied neither 1 nor 0")
    return reply


def _without_thoughts(reply: Completion) -> str:
    return reply.text.rpartition(THOUGHTS_END)[2].strip()


def _attach_answer(row: Row, reply: Completion | Rejected) -> Row:
    trace = trace_of(row)
    if trace is None or isinstance(reply, Rejected):
        return row
    return replace(row, traces=(replace(trace, answer=_without_thoughts(reply)),))


def _attach_verdict(row: Row, reply: Completion | Rejected) -> Row:
    trace = trace_of(row)
    assert trace is not None
    return replace(row, traces=(), judged=(Judged(trace=trace, verdicts={SCORING: _verdict(reply)}),))


def _verdict(reply: Completion | Rejected) -> Verdict:
    if isinstance(reply, Rejected):
        return Verdict.error(_failure(reply))
    right = _without_thoughts(reply).rstrip(".").endswith("1")
    return (Verdict.correct if right else Verdict.incorrect)("the judge replied so", tier="judge")


def _failure(reply: Rejected) -> str:
    return f"judge: {reply.reason}"
