"""Asks a model, a judge or a baseline about each question, and keeps the replies as they came.

A question without a reply is never a wrong answer. What a local model cannot be asked, such as a prompt over its
context, is rejected for good, since its identity covers that limit. What a served model did not reply to (the endpoint
was down, it refused the request) is asked again by the next run: a server may be restarted with other limits under the
same name.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from openvlt.bench.definition import Definition
from openvlt.bench.questions import Questions, Responses
from openvlt.engines import Resolved
from openvlt.errors import DataError, Reject, RemoteError
from openvlt.records import Completion, Example, Message, Model, Rejected, Row, Sampling, Trace
from openvlt.records.bench import UsedModel, UsedPrompt
from openvlt.stages.ask import Ask, prompt
from openvlt.stages.filling import Task, Value
from openvlt.stages.map import map_stage
from openvlt.stages.workspace import Output, Step, Workspace, write_stage
from openvlt.store import digest

REFUSED = "refused: "
"""Begins the reason of a request that an endpoint refuses for good."""
RETRY_NOTE = "the same command asks again for the missing replies, and for nothing else"

Attach: TypeAlias = Callable[[Row, Completion | Rejected], Row]
"""Adds a reply, or the reason why there is none, to its row."""


def ask(
    workspace: Workspace,
    name: str,
    iteration: int,
    questions: Questions,
    definition: Definition,
    model: Model,
    sampling: Sampling,
    *,
    trained: bool,
) -> Responses:
    """Ask a model the questions of a benchmark (stage ``bench-BENCHMARK-MODEL``).

    Args:
        workspace: its format is the model's.
        name: of the stage.
        iteration: of the model.
        questions: what to ask.
        definition: the benchmark, which words the prompts.
        model: the model to ask.
        sampling: how replies are decoded; ``n`` is 1.
        trained: False for a model that was not trained to answer in the format: it gets the benchmark's prompt for
            such models.

    Raises:
        RemoteError, DataError: no request succeeded, or the model cannot be asked any more.
    """
    benchmark, resolved = definition.benchmark.component, workspace.resolve(model)
    worded = benchmark.messages if trained else benchmark.base_messages

    def messages(row: Row) -> list[Message]:
        return prompt(definition.benchmark, lambda: worded(row.example, workspace.format))

    readable = (row for row in questions.output.rows() if row.example.id not in questions.unreadable)
    prompts, refused = digest_prompts(readable, lambda row: [messages(row)])
    failed = {**questions.unreadable, **refused}
    work = RawReplies(
        workspace,
        definition.benchmark,
        "reply",
        resolved,
        sampling,
        messages=messages,
        parse=lambda completion: completion,
        value_type=Completion,
        is_asked=lambda row: row.example.id not in failed,
        attach=_attach,
    )
    step = Step("bench", name, iteration, (work.identity, prompts, questions.output.digest))
    made, missing = collect(workspace, step, questions.output, work)
    return Responses(
        questions=questions,
        output=made,
        failed={**failed, **{id: each.reason for id, each in missing.items()}},
        model=_used(model, resolved),
        prompt=UsedPrompt(asked="trained" if trained else "base", digest=prompts[:16], format=workspace.format),
        sampling=sampling,
        seconds=float(made.record.counts.get("seconds", 0.0)),
        notes=retry_notes(missing),
        stages=(made.record,),
    )


def guess(
    workspace: Workspace,
    name: str,
    questions: Questions,
    definition: Definition,
    baseline: str,
    guesser: Callable[[Example], str],
) -> Responses:
    """Let a baseline without a model answer the questions (stage ``bench-BENCHMARK-BASELINE``)."""

    def guessed(row: Row) -> Row:
        if row.example.id in questions.unreadable:
            return row
        with definition.benchmark.guarded():
            answer = guesser(row.example)
            if not isinstance(answer, str):
                raise TypeError(f"its baseline {baseline} returned {type(answer).__name__}, not text")
            answer.encode()  # else it could not be stored
        return replace(row, traces=(Trace(think="", answer=answer, raw=answer),))

    step = Step("bench", name, 0, (definition.benchmark.identity, "guess", baseline, questions.output.digest))
    made = write_stage(workspace, step, lambda: map(guessed, questions.output.rows()), questions.output.record.out)
    return Responses(
        questions=questions,
        output=made,
        extracted=True,
        failed=questions.unreadable,
        model=UsedModel(id=baseline),
        prompt=UsedPrompt(asked="none", digest="none", format=workspace.format),
        stages=(made.record,),
    )


@dataclass
class RawReplies(Ask):
    """Asks for one raw reply to each row that `is_asked`, and attaches it to the row."""

    is_asked: Callable[[Row], bool] = lambda row: True
    attach: Attach = lambda row, reply: row

    def keys(self, row: Row) -> list[str]:
        return super().keys(row) if self.is_asked(row) else []

    def compute(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        values = super().compute(tasks)
        if not self.model.model.url:
            return values
        return [
            [_asked_again(value) if isinstance(value, Rejected) else value for value in of_task] for of_task in values
        ]

    def finish(self, row: Row, values: list[Value | Rejected]) -> Row:
        for value in values:
            if isinstance(value, Completion):
                self._counts["replies"] += 1
                self._counts["total_tokens"] += value.prompt_tokens + value.completion_tokens
                self._counts["reply_tokens"] += value.completion_tokens
            row = self.attach(row, value)
        return row


def _asked_again(rejected: Rejected) -> Rejected:
    reason = rejected.reason if rejected.transient else f"{REFUSED}{rejected.reason}"
    return replace(rejected, reason=reason, transient=True)


def refusals_as_wrong(responses: Responses) -> Responses:
    """Count as wrong what an endpoint refuses for good, such as by a content policy, instead of leaving it open."""
    refused = {id for id, reason in responses.failed.items() if reason.startswith(REFUSED)}
    return replace(
        responses,
        refused="wrong",
        failed={id: reason for id, reason in responses.failed.items() if id not in refused},
        unanswered=(*responses.unanswered, *refused),
        notes=(*responses.notes, f"{len(refused)} questions were refused and count as wrong"),
    )


def collect(workspace: Workspace, step: Step, inputs: Output, work: RawReplies) -> tuple[Output, dict[str, Rejected]]:
    """Carry out a stage that asks about each row.

    Returns:
        All rows, and the failed requests by id.

    Raises:
        RemoteError: no request succeeded, and the next run may do better; or the model cannot be asked any more.
        DataError: no request succeeded, and none will.
    """
    made = map_stage(workspace, step, inputs, work, work.finish, inputs.record.out, gaps=True)
    missing = {each.id: each for each in made.folder.rejected()}
    if missing and not made.record.counts.get("replies"):
        reasons = Counter(each.reason for each in missing.values()).most_common(3)
        causes = "; ".join(f"{count} x {reason}" for reason, count in reasons)
        raise (RemoteError if retry_notes(missing) else DataError)(
            f"Stage {step.name}: {len(missing)} requests of {inputs.record.out} rows failed ({causes}).",
            "Fix the cause and run the same command again.",
        )
    return made, missing


def retry_notes(missing: Mapping[str, Rejected]) -> tuple[str, ...]:
    """The note that the next run retries failed requests, if it does."""
    return (RETRY_NOTE,) if any(each.transient for each in missing.values()) else ()


def digest_prompts(
    rows: Iterable[Row], prompts: Callable[[Row], Sequence[Sequence[Message] | None]]
) -> tuple[str, dict[str, str]]:
    """The digest of all prompts of all rows, and the reasons of rows that cannot be asked, by id."""
    hashed, refused = hashlib.sha256(), dict[str, str]()
    for row in rows:
        try:
            hashed.update(digest(row.example.id, prompts(row)).encode())
        except Reject as reject:
            refused[row.example.id] = reject.reason
    return hashed.hexdigest(), refused


def _attach(row: Row, reply: Completion | Rejected) -> Row:
    if isinstance(reply, Rejected):
        return row
    trace = Trace(
        think="",
        answer=None,
        raw=reply.text,
        finish_reason=reply.finish_reason,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
    )
    return replace(row, traces=(trace,))


def _used(model: Model, resolved: Resolved) -> UsedModel:
    return UsedModel(
        id=model.id,
        revision=model.revision,
        digest=resolved.digest,
        backend=resolved.backend.entry.id,
        backend_identity=resolved.backend.identity,
        dtype=resolved.model.dtype,
        pixels=resolved.model.pixels,
        context=resolved.model.context,
    )
