"""Runs the conversations of many rows at once and batches their requests.

A component's `run` is ordinary blocking code, so each conversation has a thread. Batches must not depend on the timing
of threads, so one is sent only once every unfinished conversation waits for a response. A request is keyed by its
conversation and turn, so that its seed does not depend on the batch either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from openvlt.errors import Reject
from openvlt.interfaces import Chat, Engine, Request
from openvlt.records import Completion, Message, Rejected, Sampling
from openvlt.results import check_messages
from openvlt.store import digest

T = TypeVar("T")


@dataclass
class _Conversation:
    """One conversation: the request it waits for, and the response."""

    key: str
    turn: int = 0
    waiting: Request | None = None
    sampling: Sampling | None = None
    response: Completion | Rejected | None = None
    result: Any = None
    done: bool = False
    error: BaseException | None = None
    wake: threading.Event = field(default_factory=threading.Event)


def converse(
    engine: Engine, sampling: Sampling, keys: Sequence[str], samples: Sequence[int], run: Callable[[int, Chat], T]
) -> list[T | Rejected]:
    """Carry out ``run(index, chat)`` for each key.

    Args:
        engine: responds.
        sampling: the component's defaults; a chat may override fields.
        keys: one per conversation, from which its seeds derive.
        samples: the sample index of each conversation.
        run: blocks in `chat`.
    """
    changed = threading.Condition()
    runs = [_Conversation(key) for key in keys]

    def chat_of(index: int) -> Chat:
        def chat(messages: Sequence[Message], **overrides: Any) -> Completion:
            mine, asked = runs[index], tuple(check_messages(messages))
            with changed:
                key = digest(mine.key, mine.turn)
                mine.turn += 1
                mine.waiting = Request(asked, key, (samples[index],))
                mine.sampling = replace(sampling, **overrides, n=1)
                changed.notify()
            mine.wake.wait()
            mine.wake.clear()
            response = mine.response
            if isinstance(response, Completion):
                return response
            assert isinstance(response, Rejected)
            raise Reject(response.reason, transient=response.transient)

        return chat

    def work(index: int) -> None:
        mine = runs[index]
        try:
            mine.result = run(index, chat_of(index))
        except Reject as reject:
            mine.result = Rejected(id="", reason=reject.reason, transient=reject.transient)
        except BaseException as error:  # noqa: BLE001 - re-raised below, in the calling thread
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
            waiting = [run for run in runs if not run.done]
        if not waiting:
            break
        _respond(engine, waiting)
    for each in runs:
        if each.error:
            raise each.error
    return [each.result for each in runs]


def _respond(engine: Engine, waiting: Sequence[_Conversation]) -> None:
    """Respond to all conversations, in order, in batches of equal sampling."""
    by_sampling: dict[Sampling, list[_Conversation]] = {}
    for run in waiting:
        assert run.sampling is not None
        by_sampling.setdefault(run.sampling, []).append(run)
    for sampling, runs in by_sampling.items():
        requests = [run.waiting for run in runs if run.waiting]
        for run, response in zip(runs, engine.generate(requests, sampling), strict=True):
            run.response = response if isinstance(response, Rejected) else response[0]
    for run in waiting:
        run.waiting = None
        run.wake.set()
