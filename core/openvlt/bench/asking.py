"""A model, or a judge, is asked about each question; what is kept is the reply as it came.

A question without a reply is never a wrong answer. What a model that runs here cannot be asked (a prompt over its
context) it never can: its identity covers that limit. What a served model gave no reply to (an endpoint was down, a
request was refused) the next run asks again: a server may be started with other limits under the same name.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from openvlt.bench.definition import Defined
from openvlt.bench.questions import Answered, Questions
from openvlt.engines import Resolved
from openvlt.errors import DataError, Reject, RemoteError
from openvlt.records import Completion, Message, Model, Rejected, Row, Sampling, Trace
from openvlt.records.bench import UsedModel, UsedPrompt
from openvlt.stages.ask import Ask
from openvlt.stages.map import Task, Value, map_stage
from openvlt.stages.workspace import Output, Step, Workspace
from openvlt.store import digest

ASK_AGAIN = "the same command asks again for the replies that are missing, and for nothing else"

Put: TypeAlias = Callable[[Row, Completion | Rejected], Row]
"""Puts a reply, or why there is none, into its row."""


def ask(
    workspace: Workspace,
    name: str,
    iteration: int,
    questions: Questions,
    defined: Defined,
    model: Model,
    sampling: Sampling,
    *,
    trained: bool,
) -> Answered:
    """Let a model answer a benchmark (stage ``bench-BENCHMARK-MODEL``).

    Args:
        workspace: its format is the model's.
        name: of the stage.
        iteration: of the model.
        questions: the questions.
        defined: the benchmark; it words the prompts.
        model: who is asked.
        sampling: how replies are decoded; ``n`` is 1.
        trained: False for a model that never learnt to answer in the format: it is asked with the benchmark's prompt
            for such models.

    Raises:
        RemoteError, DataError: the model gives not one reply, or can no longer be asked at all.
    """
    benchmark = defined.benchmark
    words = benchmark.messages if trained else benchmark.base_messages
    resolved = workspace.resolve(model)
    readable = (row for row in questions.output.rows() if row.example.id not in questions.unreadable)
    prompts, refused = worded(readable, lambda row: [words(row.example, workspace.format)])
    failed = {**questions.unreadable, **refused}
    work = Replies(
        workspace,
        "reply",
        resolved,
        sampling,
        messages=lambda row: words(row.example, workspace.format),
        parse=lambda completion: completion,
        value_type=Completion,
        asks=lambda row: row.example.id not in failed,
        put=_put,
    )
    step = Step("bench", name, iteration, (work.identity, prompts, questions.output.digest))
    made, missing = replies(workspace, step, questions.output, work)
    return Answered(
        questions=questions,
        output=made,
        failed={**failed, **{id: each.reason for id, each in missing.items()}},
        model=_used(model, resolved),
        prompt=UsedPrompt(asked="trained" if trained else "base", digest=prompts[:16], format=workspace.format),
        sampling=sampling,
        seconds=float(made.record.counts.get("seconds", 0.0)),
        notes=again(missing),
        stages=(made.record,),
    )


@dataclass
class Replies(Ask):
    """Asks for raw replies, one a row that is to be asked, and puts them into their rows."""

    asks: Callable[[Row], bool] = lambda row: True
    put: Put = lambda row, reply: row

    def keys(self, row: Row) -> list[str]:
        return super().keys(row) if self.asks(row) else []

    def compute(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        values = super().compute(tasks)
        if not self.model.model.url:
            return values
        return [
            [replace(value, transient=True) if isinstance(value, Rejected) else value for value in of_task]
            for of_task in values
        ]

    def finish(self, row: Row, values: list[Value | Rejected]) -> Row:
        for value in values:
            if isinstance(value, Completion):
                self._counts["replies"] += 1
                self._counts["total_tokens"] += value.prompt_tokens + value.completion_tokens
            row = self.put(row, value)
        return row


def replies(workspace: Workspace, step: Step, inputs: Output, work: Replies) -> tuple[Output, dict[str, Rejected]]:
    """Carry out a stage that asks about each row.

    Returns:
        All rows, and those that were asked and have no reply, by id.

    Raises:
        RemoteError: there is not one reply, and the next run may get some; or the model can no longer be asked at all.
        DataError: there is not one reply, and there will be none.
    """
    made = map_stage(workspace, step, inputs, work, work.finish, inputs.record.out, gaps=True)
    missing = {each.id: each for each in made.folder.rejected()}
    if missing and not made.record.counts.get("replies"):
        reasons = Counter(each.reason for each in missing.values()).most_common(3)
        causes = "; ".join(f"{count} x {reason}" for reason, count in reasons)
        raise (RemoteError if again(missing) else DataError)(
            f"Stage {step.name}: {len(missing)} requests of {inputs.record.out} rows failed ({causes}).",
            "Fix that and run the same command again.",
        )
    return made, missing


def again(missing: Mapping[str, Rejected]) -> tuple[str, ...]:
    """The note that the next run may get replies that are missing now, if it may."""
    return (ASK_AGAIN,) if any(each.transient for each in missing.values()) else ()


def worded(
    rows: Iterable[Row], words: Callable[[Row], Sequence[Sequence[Message] | None]]
) -> tuple[str, dict[str, str]]:
    """The digest of all messages that rows are asked with, and why a row cannot be asked, by id."""
    hashed, refused = hashlib.sha256(), dict[str, str]()
    for row in rows:
        try:
            hashed.update(digest(row.example.id, words(row)).encode())
        except Reject as reject:
            refused[row.example.id] = reject.reason
    return hashed.hexdigest(), refused


def _put(row: Row, reply: Completion | Rejected) -> Row:
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
