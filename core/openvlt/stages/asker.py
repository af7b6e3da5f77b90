"""Asks the models of components that decide by asking: verifiers and filters, in stages and in trainings.

A reply is a value, kept by the model and the prompt, so that no prompt is asked twice: a run that is repeated, and a
training that resumes, get the replies they got before.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from openvlt import forks
from openvlt.errors import Reject, RemoteError, UsageError, first_line
from openvlt.interfaces import Asking, Drop, Program
from openvlt.keys import KEYS, endpoint_key, mask_keys
from openvlt.records import Completion, Example, Message, Model, Rejected, Row
from openvlt.registry import Built
from openvlt.results import check_drop, check_messages
from openvlt.stages.accepting import dropped, rejecting
from openvlt.stages.ask import MODEL, Ask
from openvlt.stages.filling import Filling, Task, Value
from openvlt.stages.progress import Quiet
from openvlt.stages.workspace import Workspace
from openvlt.store import ValueStore

S = TypeVar("S")
T = TypeVar("T")
U = TypeVar("U")
AskingBuilt: TypeAlias = Built[Asking[Any, Any]]


class Asker:
    """Asks prompts. A model is opened when it is first needed, and freed when the asker is closed or forgotten.

    Args:
        workspace: finds and opens the models; its home keeps the replies.
        in_step: True in a training step, which cannot wait: only endpoints are asked, what has no reply within the
            component's `step_seconds` is given up, and what fails once a model is open costs its replies alone.
    """

    def __init__(self, workspace: Workspace, *, in_step: bool = False) -> None:
        self._workspace, self._told = replace(workspace, progress=Quiet()), workspace
        self._in_step = in_step
        self._works: dict[str, _Replies] = {}
        self._stores: dict[str, ValueStore] = {}
        self._stack = ExitStack()
        self._process = os.getpid()
        self._lock = forks.renewed_at_fork(threading.RLock())
        weakref.finalize(self, _close, self._stack, self._process)

    def close(self) -> None:
        """Free the models and close the files; both are opened again when they are needed."""
        with self._lock:
            _close(self._stack, self._process)
            self._stores.clear()

    def ask(self, built: AskingBuilt, prompts: Sequence[Sequence[Message]]) -> list[Completion | Rejected]:
        """The replies to prompts, in order.

        Raises:
            OpenvltError: the model cannot be opened; in a stage also, it cannot be asked any more.
        """
        with self._lock:
            work = self._work(built)
            work.seconds = built.component.step_seconds if self._in_step else None
            rows = [Row(example=Example(id=str(index), question="", answer="")) for index in range(len(prompts))]
            work.prompts = prompts
            filling = Filling(self._workspace, work, self._store(work))
            with work.limited():
                return [reply for (reply,) in filling.of(rows)]

    def drops(
        self, built: Built[Asking[S, Drop | None]], subjects: Sequence[S], id_of: Callable[[S], str]
    ) -> list[Drop | Rejected | None]:
        """What a filter decides on each of its subjects; what has no usable reply is dropped. See `decisions`."""
        is_decision = lambda said: said is None or isinstance(said, Drop)  # noqa: E731
        return self.decisions(built, subjects, id_of, is_decision, check_drop, dropped)

    def decisions(
        self,
        built: Built[Asking[S, T]],
        subjects: Sequence[S],
        id_of: Callable[[S], str],
        is_decision: Callable[[Any], bool],
        check: Callable[[Any], T],
        refused: Callable[[str, Reject], U],
    ) -> list[T | U]:
        """What a component decides on each of its subjects, in order.

        Args:
            built: the component.
            subjects: examples or claims.
            id_of: the id of a subject's row.
            is_decision: tells a decision from a prompt, where the model need not be asked.
            check: the decision, checked.
            refused: the decision where the component fails, rejects the row or has no usable reply.

        Raises:
            OpenvltError: the component failed, or its model cannot be asked.
            RemoteError: some requests failed for now.
        """
        component, found, prompts = built.component, dict[int, T | U](), dict[int, Sequence[Message]]()
        for index, subject in enumerate(subjects):
            try:
                with rejecting(self._told, built, "messages", id_of(subject)):
                    asked: Any = component.messages(subject)
                    if is_decision(asked):
                        found[index] = check(asked)
                    else:
                        prompts[index] = check_messages(asked)
            except Reject as reject:
                found[index] = refused(id_of(subject), reject)
        replies = self.ask(built, list(prompts.values())) if prompts else []
        lost = Counter(each.reason for each in replies if isinstance(each, Rejected) and each.transient)
        if lost:
            reasons = "; ".join(f"{count} x {reason}" for reason, count in lost.most_common(3))
            raise RemoteError(
                f"The {built.entry.kind} {built.entry.name} got no reply to {lost.total()} of {len(prompts)} requests "
                f"({reasons}).",
                "Run the same command again: it keeps what is done and retries only those.",
            )
        for index, reply in zip(prompts, replies, strict=True):
            if isinstance(reply, Rejected):
                found[index] = refused(id_of(subjects[index]), Reject(f"no reply: {reply.reason}"))
                continue
            try:
                with rejecting(self._told, built, "parse", id_of(subjects[index])):
                    found[index] = check(component.parse(reply, subjects[index]))
            except Reject as reject:
                found[index] = refused(id_of(subjects[index]), reject)
        return [found[index] for index in range(len(subjects))]

    def open(self, built: AskingBuilt) -> None:
        """Open the model of a component now, so that a training does not begin without it."""
        with self._lock:
            work = self._work(built)
            self._store(work)
            work.open()

    def identities(self, components: Iterable[Built[Any]]) -> list[str]:
        """The folders of the replies that components get, which model, backend and sampling name; most get none."""
        return [self._work(built).identity for built in components if isinstance(built.component, Asking)]

    def counts(self) -> Counter[str]:
        """Replies, tokens, retries and the like, over all models."""
        total = Counter[str]()
        for work in {work.identity: work for work in self._works.values()}.values():
            total.update({name: int(value) for name, value in work.counts().items()})
        return +total  # without what is 0

    def _work(self, built: AskingBuilt) -> _Replies:
        if self._process != os.getpid():  # a fork has neither the threads nor the connections of its parent
            self._process, self._works, self._stores, self._stack = os.getpid(), {}, {}, ExitStack()
        if built.identity not in self._works:
            component = built.component
            if self._in_step:
                check_served(component.model, f"{built.entry.kind} {built.entry.name}")
            made = _Replies(
                self._workspace, built, "judge", self._workspace.resolve(component.model),
                replace(component.sampling, n=1), messages=lambda row: [], parse=lambda completion: completion,
                value_type=Completion,
            )  # fmt: skip
            same = (each for each in self._works.values() if each.identity == made.identity)
            self._works[built.identity] = next(same, made)
        return self._works[built.identity]

    def _store(self, work: _Replies) -> ValueStore:
        """Where replies are kept; whoever needs it is about to ask, and what is opened for that is freed with it."""
        if work.identity not in self._stores:
            store = ValueStore(self._workspace.home.values / work.identity)
            self._stores[work.identity] = self._stack.enter_context(store)
            self._stack.callback(work.free)
        return self._stores[work.identity]


def models_asked(components: Iterable[Built[Any]]) -> list[Model]:
    """The models that components ask to decide; most ask none."""
    return [built.component.model for built in components if isinstance(built.component, Asking)]


def model_options(built: Built[Any]) -> dict[str, Model]:
    """The options of a component that are models, such as the one a teacher asks, or one that a trainer learns from."""
    values = {name: getattr(built.component, name) for name in built.options}
    return {name: value for name, value in values.items() if isinstance(value, Model)}


def models_of_run(built: Built[Any]) -> dict[str, Model]:
    """The models that the `run` of a teacher or captioner may ask, by option; a program asks none."""
    if isinstance(built.component, Program):
        return {}
    return {MODEL: built.component.model, **model_options(built)}


def secrets_of(models: Iterable[Model]) -> list[str]:
    """Names of the environment variables with the keys for the endpoints of models."""
    return [name for model in models for url in model.url for name in (KEYS, endpoint_key(url).name)]


def check_served(model: Model, who: str, key: str = "model") -> None:
    """Refuse a model that a training cannot ask, as no endpoint serves it.

    Raises:
        UsageError: it has no URL.
    """
    if not model.url:
        raise UsageError(
            f"The {who} asks '{model.id}', which no endpoint serves; a training can ask no other.",
            f"Serve it ('vllm serve {model.id}') and name its address: {key}.url=[http://HOST:8000/v1].",
        )


def _close(stack: ExitStack, process: int) -> None:
    """Close what a process has opened; a fork of it must not."""
    if os.getpid() == process:
        stack.close()


@dataclass
class _Replies(Ask):
    """Asks raw replies to prompts; a row holds the place of one. Its engine stays open from one filling to the next."""

    prompts: Sequence[Sequence[Message]] = ()
    seconds: float | None = None
    late: bool = False

    def __post_init__(self) -> None:
        self.messages = lambda row: list(self.prompts[int(row.example.id)])

    def compute(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        try:
            values = self._failed(tasks, "") if self.late else super().compute(tasks)
        except Exception as error:
            if self.seconds is None:
                raise
            return self._failed(tasks, mask_keys(first_line(error)))
        if self.late:  # the engine was closed meanwhile, which is no fault of a request
            lost = self._failed(tasks, "")
            values = [
                [each if isinstance(each, Completion) else late for each, late in zip(some, lates, strict=True)]
                for some, lates in zip(values, lost, strict=True)
            ]
        self._counts["asked"] += sum(isinstance(value, Completion) for of_task in values for value in of_task)
        return values

    def _failed(self, tasks: Sequence[Task], reason: str) -> list[list[Value | Rejected]]:
        reason = f"{self.seconds:g} s have passed" if self.late else reason
        return [[Rejected(id="", reason=reason, transient=True) for _ in task.wanted] for task in tasks]

    def open(self) -> None:
        self._open()

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Give up after `seconds`, if there is a limit: closing the engine ends the requests in flight."""
        self.late = False
        timer = threading.Timer(self.seconds or 0, self._give_up)
        if self.seconds is not None:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()
            if timer.is_alive():
                timer.join()

    def _give_up(self) -> None:
        self.late = True
        self.free()

    def close(self) -> None:
        """Keeps the engine for the next prompts; see `free`."""

    def free(self) -> None:
        super().close()
