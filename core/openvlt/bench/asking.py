"""Asks a model, a judge or a baseline about each question, and keeps the replies as they came.

A question without a reply is never a wrong answer. What a local model cannot be asked, such as a prompt over its
context, is rejected for good, since its identity covers that limit. What a served model did not reply to (the endpoint
was down, it refused the request) is asked again by the next run: a server may be restarted with other limits under the
same name.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeAlias

from openvlt.bench.definition import Definition
from openvlt.bench.questions import Questions, Responses
from openvlt.engines import Resolved
from openvlt.errors import DataError, Reject, RemoteError, UsageError, counted
from openvlt.records import Completion, Example, Message, Model, Rejected, Row, Sampling, StageRecord, Trace
from openvlt.records.bench import UsedModel, UsedPrompt
from openvlt.registry.options import options_of
from openvlt.results import check_guess, check_messages
from openvlt.stages.accepting import rejected, rejecting
from openvlt.stages.ask import Ask
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
    system: str | None = None,
    suffix: str = "",
    draws: Mapping[int, int] | None = None,
    budget: int | None = None,
) -> Responses:
    """Ask a model the questions of a benchmark (stage ``bench-BENCHMARK-MODEL``).

    Args:
        workspace: its format is the model's.
        name: of the stage.
        iteration: of the model.
        questions: what to ask.
        definition: the benchmark, which words the prompts.
        model: the model to ask.
        sampling: how replies are decoded, and how many there are to each question.
        trained: False for a model that was not trained to answer in the format: it gets the benchmark's prompt for
            such models.
        system: replaces the system text of the prompts; None keeps it.
        suffix: added to the prompts.
        draws: number of replies by seed, if they are drawn with several.
        budget: one of the sampling's `cuts`, to take the replies as a limit of so many tokens would have left them.

    Raises:
        RemoteError, DataError: no request succeeded, or the model cannot be asked any more.
        UsageError: the backend cannot cut replies.
    """
    benchmark, resolved = definition.benchmark.component, workspace.resolve(model)
    worded = benchmark.messages if trained else benchmark.base_messages

    def messages(row: Row) -> list[Message]:
        with rejecting(workspace, definition.benchmark, worded.__name__, row.example.id):
            return _changed(check_messages(worded(row.example, workspace.format)), system, suffix)

    def attach(row: Row, reply: Completion | Rejected) -> Row:
        return row if isinstance(reply, Rejected) else _attached(row, _cut(reply, budget, resolved))

    readable = (row for row in questions.output.rows() if row.example.id not in questions.unreadable)
    prompts, refused = digest_prompts(readable, lambda row: [messages(row)])
    failed = {**questions.unreadable, **refused}
    if refused and len(failed) == questions.output.record.out:
        reason, count = Counter(refused.values()).most_common(1)[0]
        raise DataError(
            f"Stage {name}: none of {len(failed)} questions can be asked ({count} x {reason}).", "Fix the benchmark."
        )
    made, stages, missing = questions.output, list[StageRecord](), dict[str, Rejected]()
    draws = draws or {sampling.seed: sampling.n}
    for seed, count in draws.items():
        work = RawReplies(
            workspace,
            definition.benchmark,
            "reply",
            resolved,
            replace(sampling, seed=seed, n=count),
            messages=messages,
            parse=lambda completion: completion,
            value_type=Completion,
            is_asked=lambda row: row.example.id not in failed,
            attach=attach,
        )
        several = (count, budget) if count > 1 or budget else ()
        step = Step("bench", name, iteration, (work.identity, prompts, made.digest, *several))
        made, lost = collect(workspace, step, made, work)
        stages.append(made.record)
        missing |= lost
    return Responses(
        questions=questions,
        output=made,
        failed={**failed, **{id: each.reason for id, each in missing.items()}},
        samples=sum(draws.values()),
        model=_used(model, resolved),
        prompt=UsedPrompt(
            asked="trained" if trained else "base", digest=prompts[:16], format=workspace.format, system=system,
            suffix=suffix,
        ),
        sampling=replace(sampling, n=sum(draws.values()), cuts=(), max_tokens=budget or sampling.max_tokens),
        draws=draws if len(draws) > 1 else {},
        seconds=sum(float(stage.counts.get("seconds", 0.0)) for stage in stages),
        notes=retry_notes(missing),
        stages=tuple(stages),
    )  # fmt: skip


def guess(
    workspace: Workspace,
    name: str,
    questions: Questions,
    definition: Definition,
    baseline: str,
    guesser: Callable[[Example], str],
) -> Responses:
    """Let a baseline without a model answer the questions (stage ``bench-BENCHMARK-BASELINE``)."""

    def guessed(row: Row) -> Iterator[Row | Rejected]:
        if row.example.id in questions.unreadable:
            yield row
            return
        try:
            with rejecting(workspace, definition.benchmark, f"baseline {baseline}", row.example.id, guesser):
                answer = check_guess(guesser(row.example))
        except Reject as reject:
            yield rejected(row.example.id, reject)
            yield row
        else:
            yield replace(row, traces=(Trace(think="", answer=answer, raw=answer),))

    step = Step("bench", name, 0, (definition.benchmark.identity, "guess", baseline, questions.output.digest))
    rows = questions.output.rows()
    made = write_stage(workspace, step, lambda: chain.from_iterable(map(guessed, rows)), questions.output.record.out)
    failed = {**questions.unreadable, **{each.id: each.reason for each in made.folder.rejected()}}
    return Responses(
        questions=questions,
        output=made,
        extracted=True,
        failed=failed,
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
        notes=(*responses.notes, f"{counted(len(refused), 'question')} refused, counted as wrong"),
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
    lost = made.folder.rejected()
    # The id of one of several replies ends with its number.
    missing = {each.id.rpartition("#")[0] if work.sampling.n > 1 else each.id: each for each in lost}
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


def _changed(messages: list[Message], system: str | None, suffix: str) -> list[Message]:
    """The messages with another system text, and more text at the end."""
    if system is not None:
        others = [each for each in messages if each.role != "system"]
        messages = [*([Message.system(system)] if system else []), *others]
    if suffix:
        messages[-1] = replace(messages[-1], content=(*messages[-1].content, suffix))
    return messages


def _cut(reply: Completion, budget: int | None, model: Resolved) -> Completion:
    """A reply as a limit of `budget` tokens would have left it.

    Raises:
        UsageError: the backend does not tell.
    """
    if budget is None or reply.completion_tokens <= budget:
        return reply
    if budget not in reply.cuts:
        raise UsageError(
            f"The backend {model.backend.entry.name} does not cut replies, which budgets need.",
            "Run the model on hf or vllm, or once with each --max-tokens.",
        )
    return replace(reply, text=reply.cuts[budget], finish_reason="length", completion_tokens=budget)


def _attached(row: Row, reply: Completion) -> Row:
    trace = Trace(
        think="",
        answer=None,
        raw=reply.text,
        sample=len(row.traces),
        finish_reason=reply.finish_reason,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
    )
    return replace(row, traces=(*row.traces, trace))


def _used(model: Model, resolved: Resolved) -> UsedModel:
    chosen = resolved.backend.options
    return UsedModel(
        id=model.id,
        revision=model.revision,
        digest=resolved.digest,
        backend=resolved.backend.entry.id,
        backend_identity=resolved.backend.identity,
        dtype=resolved.model.dtype,
        pixels=resolved.model.pixels,
        context=resolved.model.context,
        backend_options={
            option.name: chosen[option.name]
            for option in options_of(type(resolved.component))
            if option.affects_output and chosen.get(option.name, option.default) != option.default
        },
    )
