"""One batch of tasks at work: every worker has one task at a time, and is looked at when its reply is late.

What has no verdict has one of three causes. The *task* is the cause where it used up its CPU time, where it waited as
long in worker after worker, or where worker after worker died of it. The *verifier* is the cause where it cannot be
imported, or only waits. All else is the *machine*: workers killed from outside, stopped, without CPU time or memory, or
not started. That is tried again in a fresh worker, and where it persists the task has failed for now; the caller must
not keep that as a result.

Wall time alone never ends a task that computes: on a busy machine, or one that was stopped, it says nothing. A worker
ends itself when its task has used up the CPU time, even inside a C function. Here a late one is looked at: one that
sleeps without computing is waiting and ended, one that computes or is stopped goes on, up to a long limit.
"""

from __future__ import annotations

import selectors
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

from openvlt import system
from openvlt.verification import limits
from openvlt.verification.messages import Reply, Task
from openvlt.verification.pool import Pool, memory_is_tight
from openvlt.verification.process import Worker

Failure: TypeAlias = Literal["timeout", "died", "killed", "memory", "verifier", "machine", "budget"]

_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP} if hasattr(signal, "SIGHUP") else set()


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a task has no verdict.

    Attributes:
        category: ``timeout`` (it computed or waited too long), ``died`` (it crashed workers), ``killed`` (its workers
            were killed from outside, again and again), ``memory``, ``verifier`` (it cannot be used at all), ``machine``
            (it may succeed another time), ``budget`` (the step ran out of time before its turn).
        reason: one line, the same for the same cause.
    """

    category: Failure
    reason: str


@dataclass(slots=True)
class _Turn:
    """What a worker is at: its start, or a task."""

    worker: Worker
    index: int | None
    since: float
    usage: system.Usage | None
    looked: float
    seen: system.Usage | None


class Batch:
    """Carries out tasks with the workers of a pool.

    Args:
        pool: lends the workers.
        tasks: what to verify.
        budget: seconds for all of them, from the first that starts; None for no limit.
    """

    def __init__(self, pool: Pool, tasks: Sequence[Task], budget: float | None = None) -> None:
        self.workers: list[Worker] = []
        self.thread = threading.current_thread()
        self._pool = pool
        self._tasks = tasks
        self._budget = budget
        self._end: float | None = None
        self._results: list[Reply | Failed | None] = [None] * len(tasks)
        self._waiting = deque(range(len(tasks)))
        self._turns: dict[int, _Turn] = {}
        self._tries: Counter[int] = Counter()
        self._failed_starts = 0
        self._losses = 0
        self._resume = 0.0
        # A selector without a descriptor: there may be none left, and a forked child would share it.
        self._selector = getattr(selectors, "PollSelector", selectors.SelectSelector)()

    def run(self) -> list[Reply | Failed]:
        """The reply to each task, in order."""
        try:
            self._pool.enter(self)
            while self._is_unfinished():
                self._dispatch()
                self._wait()
                self._check_late()
        finally:
            self._selector.close()
            self._pool.leave(self)
        missed = Failed("budget", f"not reached within {self._budget:g} s" if self._budget else "not reached")
        return [missed if result is None else result for result in self._results]

    def _is_unfinished(self) -> bool:
        if self._over(late=limits.LOOK_SECONDS):
            return False
        return bool(self._waiting) or self._is_at_work()

    def _is_at_work(self) -> bool:
        return any(turn.index is not None for turn in self._turns.values())

    def _dispatch(self) -> None:
        """Borrow as many workers as the waiting tasks are worth, one where memory is tight."""
        if self._over():
            self._waiting.clear()
        wanted = min(1 + len(self._waiting) // limits.TASKS_A_WORKER, self._pool.size)
        while self._waiting and len(self._turns) < wanted and self._resume <= time.monotonic() and not self._over():
            if self._turns and memory_is_tight():
                return
            try:
                worker = self._pool.borrow(self, wait=not self._turns)
            except OSError as error:
                self._start_failed(f"no worker can be started: {error.strerror}")
                return
            if worker is None:
                return
            if worker.ready:
                self._assign(worker)
            else:
                self._watch(worker, None)

    def _wait(self) -> None:
        """Wait for replies, or until something must be looked at."""
        now = time.monotonic()
        ends = [
            turn.worker.deadline if turn.index is None else turn.looked + limits.LOOK_SECONDS
            for turn in self._turns.values()
        ]
        if self._waiting and self._resume > now:
            ends.append(self._resume)
        if not ends:
            return
        pause = max(0.0, min(ends) - now)
        if not self._turns:
            time.sleep(pause)
            return
        for key, _ in self._selector.select(pause):
            turn = self._release(key.fd)
            if turn.index is None:
                self._on_start(turn.worker)
            else:
                self._on_reply(turn, turn.index)

    def _watch(self, worker: Worker, index: int | None) -> None:
        now, usage = time.monotonic(), worker.usage()
        self._turns[worker.output] = _Turn(worker, index, now, usage, now, usage)
        self._selector.register(worker.output, selectors.EVENT_READ)

    def _release(self, descriptor: int) -> _Turn:
        self._selector.unregister(descriptor)
        return self._turns.pop(descriptor)

    def _on_start(self, worker: Worker) -> None:
        """A worker has started, or could not."""
        reply = worker.receive()
        if reply is not None and not reply.error:
            worker.ready, self._failed_starts = True, 0
            self._assign(worker)
            with suppress(OSError):  # it is wanted only when another worker dies
                self._pool.keep_spare()
            return
        self._pool.drop(self, worker)
        if reply is None or reply.machine:
            self._start_failed("workers end while they start" if reply is None else reply.error)
        else:
            self._fail_all(Failed("verifier", f"cannot be imported: {reply.error}"))

    def _start_failed(self, reason: str) -> None:
        self._failed_starts += 1
        self._pause(self._failed_starts)
        if self._failed_starts >= limits.STARTS and not self._is_at_work():
            self._fail_all(Failed("machine", reason))

    def _pause(self, failures: int) -> None:
        """Start nothing for a while: what went wrong with the machine may pass."""
        self._resume = time.monotonic() + min(2.0, 0.05 * 2**failures)

    def _fail_all(self, failed: Failed) -> None:
        while self._waiting:
            self._results[self._waiting.popleft()] = failed

    def _over(self, *, late: float = 0.0) -> bool:
        return self._end is not None and time.monotonic() > self._end + late

    def _assign(self, worker: Worker) -> None:
        """Give a worker its next task, or give it back."""
        if not self._waiting or self._over():
            self._pool.give_back(self, worker)
            return
        if self._end is None and self._budget is not None:
            self._end = time.monotonic() + self._budget
        index = self._waiting.popleft()
        self._watch(worker, index)
        worker.send(self._tasks[index])

    def _on_reply(self, turn: _Turn, index: int) -> None:
        reply = turn.worker.receive()
        if reply is None:
            code = turn.worker.exit_code()
            self._pool.drop(self, turn.worker)
            self._on_death(index, code)
        elif reply.error and reply.machine:
            self._pool.drop(self, turn.worker)
            self._lost(index, reply.error)
        else:
            self._results[index] = Failed("memory", reply.error) if reply.error else reply
            self._losses = 0
            self._assign(turn.worker)

    def _on_death(self, index: int, code: int) -> None:
        if system.cpu_limit_hit(code):
            self._timeout(index, "computed")
        elif code in _OUTSIDE and memory_is_tight():
            self._lost(index, "memory of the machine is tight")
        else:
            outside = code in _OUTSIDE
            reason = f"its worker died ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"
            self._retry(
                index, Failed("killed" if outside else "died", reason), limits.KILLS if outside else limits.CRASHES
            )

    def _timeout(self, index: int, how: str) -> None:
        """A task has used up its time: others with the same gold, which may do the same, wait behind the rest."""
        self._results[index] = Failed("timeout", f"{how} for {self._tasks[index].seconds:g} s")
        gold = self._gold(index)
        self._waiting = deque(sorted(self._waiting, key=lambda other: self._gold(other) == gold))

    def _gold(self, index: int) -> str:
        return self._tasks[index].claims[0].example.answer

    def _waited(self, index: int) -> None:
        """A task waited without computing: after some tries it has timed out, and after some tasks so do all."""
        self._tries[index] += 1
        if self._tries[index] < limits.WAITS:
            self._waiting.append(index)
            return
        self._timeout(index, "waited without computing")
        self._losses += 1
        if self._losses >= limits.LOSSES:
            self._fail_all(Failed("verifier", f"waited without computing on {self._losses} claims, one after another"))

    def _lost(self, index: int, reason: str) -> None:
        """The machine has failed a task: try it again later, and stop when it fails all that is tried."""
        self._retry(index, failed := Failed("machine", reason), limits.KILLS)
        if self._results[index] is failed:
            self._losses += 1
            if self._losses >= limits.LOSSES:
                self._fail_all(failed)

    def _retry(self, index: int, failed: Failed, tries: int) -> None:
        """Put a task at the end of the queue, or let it fail after so many tries."""
        self._tries[index] += 1
        if self._tries[index] >= tries:
            self._results[index] = failed
        else:
            self._waiting.append(index)
        self._pause(self._tries[index] - 1)

    def _check_late(self) -> None:
        """Look at the workers whose reply is late, and end those that will give none."""
        now = time.monotonic()
        for descriptor, turn in list(self._turns.items()):
            if turn.index is None:
                if now > turn.worker.deadline and not self._may_still_start(turn, now):
                    self._pool.drop(self, self._release(descriptor).worker)
                    self._start_failed(f"a worker did not start within {limits.START_SECONDS:g} s")
            elif now - turn.looked > limits.LOOK_SECONDS and (end := self._reason_to_end(turn, turn.index, now)):
                self._pool.drop(self, self._release(descriptor).worker)
                if end == "computed":
                    self._timeout(turn.index, end)
                elif end == "waited":
                    self._waited(turn.index)
                else:
                    self._lost(turn.index, end)

    @staticmethod
    def _may_still_start(turn: _Turn, now: float) -> bool:
        """Give a worker that computes more time to start: the machine is busy."""
        usage = turn.worker.usage()
        if usage is None or turn.seen is None or usage.cpu - turn.seen.cpu <= limits.IDLE_SECONDS:
            return False
        turn.worker.deadline, turn.seen = now + limits.START_SECONDS, usage
        return usage.cpu < limits.START_SECONDS

    def _reason_to_end(self, turn: _Turn, index: int, now: float) -> str:
        """Why a late task must end: it ``computed`` or ``waited``, or what the machine did; empty if it may go on."""
        usage, seconds, passed = turn.worker.usage(), self._tasks[index].seconds, now - turn.since
        patient = passed < limits.PATIENCE_SECONDS + seconds
        if usage is None or turn.usage is None or turn.seen is None:
            # A system that does not tell what a process uses: the worker's own timer ends one that computes, if it has
            # a timer; if not, an endless loop must not pass for a machine that is busy.
            ends = passed > seconds if not system.has_timers() else not patient
            return ("no verdict in time" if system.has_timers() else "computed") if ends else ""
        if usage.cpu - turn.usage.cpu > seconds + limits.IDLE_SECONDS:
            return "computed"
        if usage.sleeps and usage.cpu - turn.seen.cpu < limits.IDLE_SECONDS and passed > seconds + limits.GRACE_SECONDS:
            return "waited"
        if not patient:
            return "it got no CPU time"
        turn.looked, turn.seen = now, usage
        return ""
