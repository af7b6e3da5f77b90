"""Asking a model about rows: captions, traces and benchmark responses are all made by it."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from openvlt.engines import Resolved
from openvlt.engines.conversation import converse
from openvlt.errors import Fault, Reject
from openvlt.interfaces import Chat, CountingEngine, Engine, Request
from openvlt.records import Completion, Message, Rejected, Row, Sampling, Trace
from openvlt.registry import Built
from openvlt.results import check_made, check_messages, check_replies
from openvlt.stages.accepting import rejected, rejecting
from openvlt.stages.filling import Task, Value
from openvlt.stages.workspace import Workspace
from openvlt.store import digest, numbered

MOST_FAILURES = 8
"""Requests after which an engine that has answered none of them, one after another, is broken."""


@dataclass
class Answered:
    """Whether an engine has answered at all, and how many requests it has failed on since it last did."""

    ever: bool = False
    failures: int = 0


MODEL = "model"
"""The option that names the model a component asks, where it does not say another."""


@dataclass
class Ask:
    """Asks one model about every row.

    Attributes:
        workspace: of the run.
        component: writes the prompts and parses the responses.
        made_by: what the identity of the work has of it.
        model: the model to ask.
        sampling: how responses are sampled; its ``n`` is the number of values per row.
        messages: the prompt of a row.
        parse: parses a response.
        value_type: type of what `parse` returns.
        run: replaces `messages` and `parse` for a component that holds a conversation.
        given: what the key of a conversation is a digest of, as it has no single prompt.
        others: further models that a conversation may ask, by the option that names each.
    """

    workspace: Workspace
    component: Built[Any]
    made_by: str
    model: Resolved
    sampling: Sampling
    messages: Callable[[Row], list[Message]]
    parse: Callable[[Completion], Any]
    value_type: Any
    run: Callable[[Row, Chat], Any] | None = None
    given: Callable[[Row], Any] | None = None
    others: Mapping[str, Resolved] = field(default_factory=dict)
    _engines: dict[str, Engine] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counts: Counter[str] = field(default_factory=Counter)
    _engine_counts: Mapping[str, float] = field(default_factory=dict)
    _answered: dict[str, Answered] = field(default_factory=dict)

    @cached_property
    def identity(self) -> str:
        others = {name: each.identity for name, each in self.others.items()}
        asked = (self.model.identity, others) if others else (self.model.identity,)
        return digest("ask", self.made_by, *asked, replace(self.sampling, n=1))

    @property
    def _models(self) -> dict[str, Resolved]:
        return {MODEL: self.model, **self.others}

    @property
    def chunk(self) -> int:
        return self.model.component.chunk

    @property
    def parallel(self) -> int:
        return self.workspace.executor.parallel(self.model)

    @property
    def replies(self) -> Sequence[str]:
        return ()

    def keys(self, row: Row) -> list[str]:
        base = self._key(row)
        return [numbered(base, sample) for sample in range(self.sampling.n)]

    def compute(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        values = self._converse(tasks) if self.run else self._ask(self._open(), tasks)
        self._counts["rejected"] += sum(isinstance(value, Rejected) for of_task in values for value in of_task)
        return values

    def counts(self) -> dict[str, float]:
        with self._lock:
            engines = {name: each for name, each in self._engines.items() if isinstance(each, CountingEngine)}
        found = Counter[str]()
        for name, each in engines.items():
            with suppress(Reject), rejecting(self.workspace, self._models[name].backend, "counts", ""):
                found.update({str(count): float(value) for count, value in each.counts().items()})
        if engines:
            self._engine_counts = {name: value for name, value in found.items() if math.isfinite(value)}
        return {**self._counts, **self._engine_counts}

    def close(self) -> None:
        self.counts()  # keeps the engine's final counts
        with suppress(Reject), rejecting(self.workspace, self.model.backend, "close", ""):  # its replies are here
            self._stack.close()
        self._engines.clear()

    def _key(self, row: Row) -> str:
        try:
            return digest(self.identity, self.given(row) if self.given else self._prompt(row))
        except Reject as reject:
            return digest(self.identity, "rejected", reject.reason)

    def _prompt(self, row: Row) -> tuple[Message, ...]:
        with rejecting(self.workspace, self.component, "messages", row.example.id):
            return tuple(check_messages(self.messages(row)))

    def _open(self, name: str = MODEL) -> _Checked:
        with self._lock:
            model = self._models[name]
            if name not in self._engines:
                with model.backend.guarded("open"):
                    opened = self.workspace.executor.open(model, self.workspace.images)
                    self._engines[name] = self._stack.enter_context(opened)
            answered = self._answered.setdefault(name, Answered())
            return _Checked(self._engines[name], model, self.workspace, answered)

    def _ask(self, engine: _Checked, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        values: list[list[Value | Rejected]] = [[] for _ in tasks]
        requests: list[tuple[int, Request]] = []
        for index, task in enumerate(tasks):
            try:
                asked = self._prompt(task.row)
            except Reject as reject:
                values[index] = [rejected(task.row.example.id, reject)] * len(task.wanted)
                continue
            requests.append((index, Request(asked, self._key(task.row), task.wanted)))
            engine.rows[requests[-1][1].key] = task.row.example.id
        responses = engine.generate([request for _, request in requests], self.sampling)
        for (index, request), response in zip(requests, responses, strict=True):
            row = tasks[index].row
            if isinstance(response, Rejected):
                values[index] = [replace(response, id=row.example.id)] * len(request.samples)
            else:
                pairs = zip(request.samples, response, strict=True)
                values[index] = [self._parse(row, sample, completion) for sample, completion in pairs]
        return values

    def _parse(self, row: Row, sample: int, completion: Completion) -> Value | Rejected:
        self._counts["tokens"] += completion.completion_tokens
        try:
            with rejecting(self.workspace, self.component, "parse", row.example.id):
                value = check_made(self.parse(completion), self.value_type)
        except Reject as reject:
            return rejected(row.example.id, reject)
        if isinstance(value, Trace):
            return replace(
                value,
                sample=sample,
                finish_reason=completion.finish_reason,
                prompt_tokens=completion.prompt_tokens,
                completion_tokens=completion.completion_tokens,
            )
        return value

    def _converse(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        run = self.run
        assert run is not None
        flat = [(task, sample) for task in tasks for sample in task.wanted]
        results = converse(
            {name: partial(self._open, name) for name in self._models},
            self.workspace.images.read,
            self.sampling,
            [self._key(task.row) for task, _ in flat],
            [sample for _, sample in flat],
            lambda index, chat: self._run(run, flat[index][0].row, chat),
        )
        values: list[list[Value | Rejected]] = []
        for task in tasks:
            mine, results = results[: len(task.wanted)], results[len(task.wanted) :]
            values.append([
                replace(value, sample=sample) if isinstance(value, Trace) else value
                for sample, value in zip(task.wanted, mine, strict=True)
            ])  # fmt: skip
        return values

    def _run(self, run: Callable[[Row, Chat], Any], row: Row, chat: Chat) -> Any:
        try:
            with rejecting(self.workspace, self.component, "run", row.example.id):
                return check_made(run(row, chat), self.value_type)
        except Reject as reject:
            return rejected(row.example.id, reject)


@dataclass(frozen=True, slots=True)
class _Checked:
    """An engine whose replies are those that were asked for. A request that it fails on is rejected.

    Attributes:
        rows: ids of rows by the key of their request, as far as they are known.
    """

    engine: Engine
    model: Resolved
    workspace: Workspace
    answered: Answered
    rows: dict[str, str] = field(default_factory=dict)

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Sequence[Completion] | Rejected]:
        try:
            return self._asked(requests, sampling)
        except Reject as reject:
            return [rejected("", reject)]
        except Fault as fault:
            if self.workspace.strict and not isinstance(fault.__cause__, Reject):
                raise
            return self._one_by_one(requests, sampling, fault)

    def _asked(self, requests: Sequence[Request], sampling: Sampling) -> list[Sequence[Completion] | Rejected]:
        row = self.rows.get(requests[0].key, "") if len(requests) == 1 else ""
        try:
            with self.model.backend.guarded("generate", row, self.engine.generate):
                made = self.engine.generate(requests, sampling)
                replies = check_replies(made, [len(each.samples) for each in requests])
        except Fault as fault:
            if len(requests) == 1 and isinstance(fault.__cause__, Reject):  # of a row that is not known
                raise fault.__cause__ from None
            raise
        self.answered.ever, self.answered.failures = True, 0
        return replies

    def _one_by_one(
        self, requests: Sequence[Request], sampling: Sampling, fault: Fault
    ) -> list[Sequence[Completion] | Rejected]:
        """Ask each request by itself, so that the others have their replies.

        Raises:
            Fault: it answers none of them: it is the engine that is broken, and not a request.
        """
        replies: list[Sequence[Completion] | Rejected] = []
        for request in requests:
            try:
                replies += self._asked([request], sampling)
            except Reject as reject:
                replies.append(rejected("", reject))
            except Fault as failed:
                self.answered.failures += 1
                if self.answered.failures >= MOST_FAILURES:
                    raise
                lost = self.workspace.survived(failed)
                transient = lost.transient or not self.answered.ever  # it may be the engine
                replies.append(Rejected(id="", reason=lost.reason, transient=transient, fault=True))
        if len(requests) > 1 and self.answered.failures >= len(requests):
            raise fault
        return replies
