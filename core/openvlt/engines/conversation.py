"""Runs a component's own `run` for many rows at once, and hands their chats to the engine in batches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from openvlt.errors import Reject
from openvlt.interfaces import Chat, Engine, Request
from openvlt.records import Completion, Message, Rejected, Sampling
from openvlt.store import digest

T = TypeVar("T")


@dataclass
class _Conversation:
    """One run: the question it waits with, and the answer it is given."""

    key: str
    turn: int = 0
    waiting: Request | None = None
    sampling: Sampling | None = None
    answer: Completion | Rejected | None = None
    result: Any = None
    done: bool = False
    error: BaseException | None = None
    wake: threading.Event = field(default_factory=threading.Event)


def converse(
    engine: Engine, sampling: Sampling, keys: Sequence[str], samples: Sequence[int], run: Callable[[int, Chat], T]
) -> list[T | Rejected]:
    """Carry out ``run(index, chat)`` for each key; a batch goes out when every run still alive is waiting for one.

    So the batches, and with them the results of a deterministic engine, do not depend on timing.

    Args:
        engine: answers the chats.
        sampling: the component's defaults; a chat may override fields.
        keys: one for each run; its seeds derive from them.
        samples: the sample index of each run.
        run: may block in `chat`.
    """
    changed = threading.Condition()
    runs = [_Conversation(key) for key in keys]

    def chat_of(index: int) -> Chat:
        def chat(messages: Sequence[Message], **overrides: Any) -> Completion:
            mine = runs[index]
            with changed:
                key = digest(mine.key, mine.turn)
                mine.turn += 1
                mine.waiting = Request(tuple(messages), key, (samples[index],))
                mine.sampling = replace(sampling, **overrides, n=1)
                changed.notify()
            mine.wake.wait()
            mine.wake.clear()
            answer = mine.answer
            if isinstance(answer, Completion):
                return answer
            assert isinstance(answer, Rejected)
            raise Reject(answer.reason, transient=answer.transient)

        return chat

    def work(index: int) -> None:
        mine = runs[index]
        try:
            mine.result = run(index, chat_of(index))
        except Reject as reject:
            mine.result = Rejected(id="", reason=reject.reason, transient=reject.transient)
        except BaseException as error:  # noqa: BLE001 - re-raised below, in the thread that asked
            mine.error = error
        with changed:
            mine.done = True
            changed.notify()

    threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(len(runs))]
    for thread in threads:
        thread.start()
    while True:
        with changed:
            changed.wait_for(lambda: all(run.done or run.waiting for run in runs))
            asking = [run for run in runs if not run.done]
        if not asking:
            break
        _answer(engine, asking)
    for each in runs:
        if each.error:
            raise each.error
    return [each.result for each in runs]


def _answer(engine: Engine, asking: Sequence[_Conversation]) -> None:
    """Answer all that wait, in batches of equal sampling, in order."""
    by_sampling: dict[Sampling, list[_Conversation]] = {}
    for run in asking:
        assert run.sampling is not None
        by_sampling.setdefault(run.sampling, []).append(run)
    for sampling, runs in by_sampling.items():
        requests = [run.waiting for run in runs if run.waiting]
        answers = engine.generate(requests, sampling)
        for run, answer in zip(runs, answers, strict=True):
            run.answer = answer if isinstance(answer, Rejected) else answer[0]
    for run in asking:
        run.waiting = None
        run.wake.set()
