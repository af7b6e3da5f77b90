"""Runs the conversations of many rows at once and batches their requests.

A component's `run` is ordinary blocking code, so each conversation has a thread. Batches must not depend on the timing
of threads, so one is sent only once every unfinished conversation waits for a response. A request is keyed by its
conversation and turn, so that its seed does not depend on the batch either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from openvlt.errors import Fault, Reject
from openvlt.interfaces import Chat, Engine, ImageReader, Request
from openvlt.records import Completion, Message, Rejected, Sampling
from openvlt.results import check_messages
from openvlt.store import digest

T = TypeVar("T")


@dataclass
class _Conversation:
    """One conversation: the request it waits for, the model that gets it, and the response."""

    key: str
    turn: int = 0
    waiting: Request | None = None
    model: str = ""
    sampling: Sampling | None = None
    response: Completion | Rejected | None = None
    result: Any = None
    done: bool = False
    error: BaseException | None = None
    wake: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Conversing:
    """See `Chat`."""

    ask: Callable[[Sequence[Message], str, Mapping[str, Any]], Completion]
    models: Collection[str]
    sample: int
    read: ImageReader

    def __call__(self, messages: Sequence[Message], *, model: str = "model", **sampling: Any) -> Completion:
        if model not in self.models:
            raise ValueError(f"it asks its model '{model}', and has {', '.join(self.models)}")
        return self.ask(messages, model, sampling)


def converse(
    engines: Mapping[str, Callable[[], Engine]],
    read: ImageReader,
    sampling: Sampling,
    keys: Sequence[str],
    samples: Sequence[int],
    run: Callable[[int, Chat], T],
) -> list[T | Rejected]:
    """Carry out ``run(index, chat)`` for each key.

    Args:
        engines: open what responds, by the name that a chat has for it.
        read: decodes an image.
        sampling: the component's defaults; a chat may override fields.
        keys: one per conversation, from which its seeds derive.
        samples: the sample index of each conversation.
        run: blocks in `chat`.
    """
    changed = threading.Condition()
    runs = [_Conversation(key) for key in keys]

    def chat_of(index: int) -> Chat:
        def ask(messages: Sequence[Message], model: str, overrides: Mapping[str, Any]) -> Completion:
            mine, asked = runs[index], tuple(check_messages(messages))
            with changed:
                key = digest(mine.key, mine.turn)
                mine.turn += 1
                mine.waiting = Request(asked, key, (samples[index],))
                mine.sampling, mine.model = replace(sampling, **overrides, n=1), model
                changed.notify()
            mine.wake.wait()
            mine.wake.clear()
            response = mine.response
            if isinstance(response, Completion):
                return response
            assert isinstance(response, Rejected)
            cause = Fault.of(response.reason) if response.fault else None
            raise Reject(response.reason, transient=response.transient) from cause

        return Conversing(ask, engines, samples[index], read)

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
        _respond(engines, waiting)
    for each in runs:
        if each.error:
            raise each.error
    return [each.result for each in runs]


def _respond(engines: Mapping[str, Callable[[], Engine]], waiting: Sequence[_Conversation]) -> None:
    """Respond to all conversations, in order, in batches of one model and equal sampling."""
    batches: dict[tuple[str, Sampling], list[_Conversation]] = {}
    for run in waiting:
        assert run.sampling is not None
        batches.setdefault((run.model, run.sampling), []).append(run)
    for (model, sampling), runs in batches.items():
        requests = [run.waiting for run in runs if run.waiting]
        for run, response in zip(runs, engines[model]().generate(requests, sampling), strict=True):
            run.response = response if isinstance(response, Rejected) else response[0]
    for run in waiting:
        run.waiting = None
        run.wake.set()
