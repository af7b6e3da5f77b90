"""Asking a model about rows: captions, traces and benchmark responses are all made by it."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from openvlt.engines import Resolved
from openvlt.engines.conversation import converse
from openvlt.errors import Reject
from openvlt.interfaces import Chat, CountingEngine, Engine, Request
from openvlt.records import Completion, Image, Message, Rejected, Row, Sampling, Trace
from openvlt.registry import Built
from openvlt.stages.accepting import printable
from openvlt.stages.filling import Task, Value
from openvlt.stages.workspace import Workspace
from openvlt.store import decode, digest, encode, numbered

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
        values = [
            [kept(self.component, task.row, each, self.value_type) for each in some]
            for task, some in zip(tasks, values, strict=True)
        ]
        self._counts["rejected"] += sum(isinstance(value, Rejected) for of_task in values for value in of_task)
        return values

    def counts(self) -> dict[str, float]:
        with self._lock:
            engines = [each for each in self._engines.values() if isinstance(each, CountingEngine)]
        if engines:
            with self.model.backend.guarded():
                found = Counter[str]()
                for each in engines:
                    found.update({str(name): float(value) for name, value in each.counts().items()})
            self._engine_counts = {name: value for name, value in found.items() if math.isfinite(value)}
        return {**self._counts, **self._engine_counts}

    def close(self) -> None:
        self.counts()  # keeps the engine's final counts
        with self.model.backend.guarded():
            self._stack.close()
        self._engines.clear()

    def _key(self, row: Row) -> str:
        try:
            return digest(self.identity, self.given(row) if self.given else self._prompt(row))
        except Reject as reject:
            return digest(self.identity, "rejected", reject.reason)

    def _prompt(self, row: Row) -> tuple[Message, ...]:
        return tuple(prompt(self.component, lambda: self.messages(row)))

    def _open(self, name: str = MODEL) -> Engine:
        with self._lock:
            model = self._models[name]
            if name not in self._engines:
                with model.backend.guarded():
                    opened = self.workspace.executor.open(model, self.workspace.images)
                    self._engines[name] = self._stack.enter_context(opened)
            return _Checked(self._engines[name], model)

    def _ask(self, engine: Engine, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        values: list[list[Value | Rejected]] = [[] for _ in tasks]
        requests: list[tuple[int, Request]] = []
        for index, task in enumerate(tasks):
            try:
                asked = self._prompt(task.row)
            except Reject as reject:
                refused = Rejected(id=task.row.example.id, reason=reject.reason, transient=reject.transient)
                values[index] = [refused] * len(task.wanted)
                continue
            requests.append((index, Request(asked, self._key(task.row), task.wanted)))
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
            with self.component.guarded():
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
        with self.component.guarded():
            return run(row, chat)


@dataclass(frozen=True, slots=True)
class _Checked:
    """An engine whose replies are those that were asked for."""

    engine: Engine
    model: Resolved

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Sequence[Completion] | Rejected]:
        with self.model.backend.guarded():
            replies = list(self.engine.generate(requests, sampling))
            if len(replies) != len(requests):
                raise ValueError(f"it returned {len(replies)} replies to {len(requests)} requests")
            return [self._reply(request, reply) for request, reply in zip(requests, replies, strict=True)]

    @staticmethod
    def _reply(request: Request, reply: Any) -> Sequence[Completion] | Rejected:
        if isinstance(reply, Rejected):
            return reply
        samples = list(reply)
        if len(samples) != len(request.samples) or not all(isinstance(each, Completion) for each in samples):
            raise ValueError(f"it did not return {len(request.samples)} completions for a request")
        if not all(isinstance(each.text, str) and isinstance(each.completion_tokens, int) for each in samples):
            raise ValueError("it returned a completion without a text and a number of tokens")
        return samples


def prompt(component: Built[Any], messages: Callable[[], Sequence[Message]]) -> list[Message]:
    """What a component words, if it is a prompt.

    Raises:
        PluginError: it is none, or the component failed.
        Reject: the component rejects the row.
    """
    with component.guarded():
        found = list(messages())
        for each in found:
            if not (isinstance(each, Message) and isinstance(each.role, str) and isinstance(each.content, tuple)):
                raise TypeError(f"its prompt has {type(each).__name__}, which is no message")
            if not all(isinstance(part, str | Image) for part in each.content):
                raise TypeError("its prompt has a part that is neither text nor image")
        return found


def kept(component: Built[Any], row: Row, value: Any, value_type: Any) -> Value | Rejected:
    """A value that can be read again once it is stored; any other would be an error of every later run."""
    if isinstance(value, Rejected):
        return Rejected(id=row.example.id, reason=printable(value.reason), transient=bool(value.transient))
    try:
        return decode(value_type, encode(value))
    except (ValueError, TypeError, RecursionError):
        entry = component.entry
        return Rejected(id=row.example.id, reason=f"the {entry.kind} {entry.name} made nothing that can be stored")
