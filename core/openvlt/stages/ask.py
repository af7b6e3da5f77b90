"""Asking a model about rows: captions, traces and benchmark responses are all made by it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from openvlt.engines import Resolved
from openvlt.engines.conversation import converse
from openvlt.errors import Reject
from openvlt.interfaces import Chat, CountingEngine, Engine, Request
from openvlt.records import Completion, Message, Rejected, Row, Sampling, Trace
from openvlt.stages.map import Task, Value
from openvlt.stages.workspace import Workspace
from openvlt.store import digest, numbered


@dataclass
class Ask:
    """Asks one model about every row.

    Attributes:
        workspace: of the run.
        component: identity of the component that writes the prompts and parses the responses.
        model: the model to ask.
        sampling: how responses are sampled; its ``n`` is the number of values per row.
        messages: the prompt of a row.
        parse: parses a response.
        value_type: type of what `parse` returns.
        run: replaces `messages` and `parse` for a component that holds a conversation.
        given: what the key of a conversation is a digest of, as it has no single prompt.
    """

    workspace: Workspace
    component: str
    model: Resolved
    sampling: Sampling
    messages: Callable[[Row], list[Message]]
    parse: Callable[[Completion], Any]
    value_type: Any
    run: Callable[[Row, Chat], Any] | None = None
    given: Callable[[Row], Any] | None = None
    _engine: Engine | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counts: Counter[str] = field(default_factory=Counter)
    _engine_counts: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def identity(self) -> str:
        return digest("ask", self.component, self.model.identity, replace(self.sampling, n=1))

    @property
    def chunk(self) -> int:
        return self.model.component.chunk

    @property
    def parallel(self) -> int:
        return self.workspace.executor.parallel(self.model)

    def keys(self, row: Row) -> list[str]:
        base = self._key(row)
        return [numbered(base, sample) for sample in range(self.sampling.n)]

    def compute(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        engine = self._open()
        values = self._converse(engine, tasks) if self.run else self._ask(engine, tasks)
        for of_task in values:
            for value in of_task:
                self._count(value)
        return values

    def counts(self) -> dict[str, float]:
        if isinstance(self._engine, CountingEngine):
            self._engine_counts = self._engine.counts()
        return {**self._counts, **self._engine_counts}

    def close(self) -> None:
        self.counts()  # keeps the engine's final counts
        self._stack.close()
        self._engine = None

    def _key(self, row: Row) -> str:
        return digest(self.identity, self.given(row) if self.given else self.messages(row))

    def _open(self) -> Engine:
        with self._lock:
            if self._engine is None:
                opened = self.workspace.executor.open(self.model, self.workspace.images)
                self._engine = self._stack.enter_context(opened)
            return self._engine

    def _ask(self, engine: Engine, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        values: list[list[Value | Rejected]] = [[] for _ in tasks]
        requests: list[tuple[int, Request]] = []
        for index, task in enumerate(tasks):
            try:
                prompt = tuple(self.messages(task.row))
            except Reject as reject:
                refused = Rejected(id=task.row.example.id, reason=reject.reason, transient=reject.transient)
                values[index] = [refused] * len(task.wanted)
                continue
            requests.append((index, Request(prompt, self._key(task.row), task.wanted)))
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
            value = self.parse(completion)
        except Reject as reject:
            return Rejected(id=row.example.id, reason=reject.reason, transient=reject.transient)
        if isinstance(value, Trace):
            return replace(
                value,
                sample=sample,
                finish_reason=completion.finish_reason,
                prompt_tokens=completion.prompt_tokens,
                completion_tokens=completion.completion_tokens,
            )
        return value

    def _converse(self, engine: Engine, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        run = self.run
        assert run is not None
        flat = [(task, sample) for task in tasks for sample in task.wanted]
        results = converse(
            engine,
            self.sampling,
            [self._key(task.row) for task, _ in flat],
            [sample for _, sample in flat],
            lambda index, chat: run(flat[index][0].row, chat),
        )
        values: list[list[Value | Rejected]] = []
        for task in tasks:
            mine, results = results[: len(task.wanted)], results[len(task.wanted) :]
            values.append([
                replace(value, sample=sample) if isinstance(value, Trace) else value
                for sample, value in zip(task.wanted, mine, strict=True)
            ])  # fmt: skip
        return values

    def _count(self, value: Value | Rejected) -> None:
        if isinstance(value, Rejected):
            self._counts["rejected"] += 1
