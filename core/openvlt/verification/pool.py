"""Worker processes that can be killed, and the clock over them.

A claim that hangs is ended twice over: by its worker's own limits on CPU and wall time, which work even where this
process is busy, and by the backstop here, which works even where the worker's timers do not.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import Literal, TypeAlias

from openvlt import system
from openvlt.verification.limits import BACKSTOP_SECONDS, BATCH_SECONDS, IDLE_SECONDS, START_SECONDS, TASKS_A_WORKER
from openvlt.verification.messages import Reply, Setup, Task, frame, read_frame

Failure: TypeAlias = Literal["timeout", "stalled", "died", "memory", "budget", "start"]

_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a task has no verdict.

    Attributes:
        category: ``timeout`` (it computed too long), ``stalled`` (it waited too long, or the machine did), ``died``,
            ``memory``, ``budget`` (the batch ran out of time before its turn), ``start`` (no worker could start).
        reason: one line.
    """

    category: Failure
    reason: str


class Worker:
    """One child process. It is ready once it has imported its verifiers."""

    def __init__(self, setup: Setup) -> None:
        path = os.pathsep.join(dict.fromkeys(os.path.abspath(entry) for entry in sys.path))
        single = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}
        hidden = {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
        self._process = Popen(
            [sys.executable, "-m", "openvlt.verification.worker"],
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={**os.environ, **single, **hidden},
        )
        self.deadline = time.monotonic() + START_SECONDS
        self.error = ""
        self._ready = False
        self.send(setup)

    @property
    def output(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def send(self, message: Setup | Task) -> bool:
        """Hand over a message; False if the process is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(frame(message))
            self._process.stdin.flush()
        except (BrokenPipeError, OSError):
            return False
        return True

    def wait_ready(self) -> bool:
        """Wait until the verifiers are imported; False if they cannot be, with the reason in `error`."""
        if not self._ready:
            with selectors.DefaultSelector() as selector:
                selector.register(self.output, selectors.EVENT_READ)
                readable = selector.select(max(0.0, self.deadline - time.monotonic()))
            reply = read_frame(self.output, Reply) if readable else None
            self.error = "it did not start" if reply is None else reply.error
            self._ready = not self.error
        return self._ready

    def receive(self) -> Reply | None:
        """The reply that has arrived; None if the process is gone."""
        return read_frame(self.output, Reply)

    def kill(self) -> int:
        """End the process and return its exit code, negative for a signal."""
        self._process.kill()
        code = self._process.wait()
        self.forget()
        return code

    def cpu_seconds(self) -> float | None:
        """CPU time the process has used so far; None if unknown."""
        return system.cpu_seconds(self._process.pid)

    def exit_code(self) -> int:
        """The exit code of a process that closed its pipe."""
        try:
            return self._process.wait(timeout=1)
        except TimeoutExpired:
            return self.kill()

    def forget(self) -> None:
        """Close the pipes; the process ends by itself when it reads."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:
                continue


class Pool:
    """Runs tasks in workers, each task within its own limits and all within the budget of the batch.

    Workers start with the first task, and one more than needed is kept warm to replace one that dies. Any thread may
    call `run`; a forked child starts workers of its own.

    Args:
        setup: what the workers import.
        workers: how many run at once; None for this process's share of the CPUs.
    """

    def __init__(self, setup: Setup, workers: int | None = None) -> None:
        system.require_pipes()
        self._setup = setup
        self.size = workers or default_workers()
        self._free: deque[Worker] = deque()
        self._all: set[Worker] = set()
        self._changed = threading.Condition()
        _POOLS.add(self)

    def run(self, tasks: Sequence[Task], *, budget: float = BATCH_SECONDS) -> list[Reply | Failed]:
        """The reply to each task, in order.

        Args:
            tasks: what to verify.
            budget: seconds for all of them, without the start of the workers.
        """
        results: list[Reply | Failed] = [Failed("budget", f"the batch took longer than {budget:g} s")] * len(tasks)
        waiting = deque(enumerate(tasks))
        if not waiting:
            return results
        workers = self._borrow(min(1 + len(tasks) // TASKS_A_WORKER, self.size))
        if not workers:
            return [Failed("start", "no worker could be started")] * len(tasks)
        broken = next((worker for worker in workers if not worker.wait_ready()), None)
        if broken is not None:
            reason = broken.error
            for worker in workers:
                self._give_back(worker, usable=worker is not broken)
            return [Failed("start", reason)] * len(tasks)
        self._keep_spare()
        _Batch(self, workers, waiting, results, time.monotonic() + budget).work()
        return results

    def close(self) -> None:
        """End all workers that are not at work."""
        with self._changed:
            workers, self._free = list(self._free), deque()
            self._all.difference_update(workers)
            self._changed.notify_all()
        for worker in workers:
            worker.kill()

    def replace(self, worker: Worker, *, wanted: bool) -> Worker | None:
        """A worker in place of one that died; None if none is wanted or none starts."""
        with self._changed:
            self._all.discard(worker)
            self._free.append(self._start())
            self._changed.notify()
        worker.forget()
        if not wanted:
            return None
        fresh = self._borrow(1)
        return fresh[0] if fresh and fresh[0].wait_ready() else None

    def _borrow(self, wanted: int) -> list[Worker]:
        """Take free workers, at least one, starting what is missing."""
        with self._changed:
            while len(self._all) < self.size + 1 and len(self._free) < wanted:
                self._free.append(self._start())
            while not self._free:
                self._changed.wait()
            return [self._free.popleft() for _ in range(min(wanted, len(self._free)))]

    def _keep_spare(self) -> None:
        """Start the spare worker; only now, so that it does not slow the start of those at work."""
        with self._changed:
            if not self._free and len(self._all) < self.size + 1:
                self._free.append(self._start())
                self._changed.notify()

    def _start(self) -> Worker:
        worker = Worker(self._setup)
        self._all.add(worker)
        return worker

    def _give_back(self, worker: Worker, *, usable: bool = True) -> None:
        with self._changed:
            if usable:
                # Its caches are warm, so it goes first next time.
                self._free.appendleft(worker)
            else:
                self._all.discard(worker)
            self._changed.notify()
        if not usable:
            worker.kill()

    def _forget(self) -> None:
        """Close the parent's pipes in a forked child: while a copy is open, the workers do not see the parent end."""
        for worker in self._all:
            worker.forget()
        self._free, self._all = deque(), set()
        self._changed = threading.Condition()


@dataclass(frozen=True, slots=True)
class _Running:
    worker: Worker
    index: int
    started: float
    cpu: float | None


class _Batch:
    """One call of `Pool.run` at work: every worker has one task at a time, and a deadline for it."""

    def __init__(
        self,
        pool: Pool,
        workers: list[Worker],
        waiting: deque[tuple[int, Task]],
        results: list[Reply | Failed],
        end: float,
    ) -> None:
        self._pool = pool
        self._workers = workers
        self._waiting = waiting
        self._results = results
        self._end = end
        self._busy: dict[int, _Running] = {}
        self._selector = selectors.DefaultSelector()

    def work(self) -> None:
        """Carry out the tasks."""
        with self._selector:
            for worker in self._workers:
                self._assign(worker)
            while self._busy:
                soonest = min(running.started for running in self._busy.values()) + BACKSTOP_SECONDS
                for key, _ in self._selector.select(max(0.0, soonest - time.monotonic())):
                    self._collect(key.fd)
                self._kill_late()

    def _assign(self, worker: Worker) -> None:
        """Give a worker its next task, or give it back."""
        if not self._waiting or time.monotonic() > self._end:
            self._pool._give_back(worker)
            return
        index, task = self._waiting.popleft()
        self._busy[worker.output] = _Running(worker, index, time.monotonic(), worker.cpu_seconds())
        self._selector.register(worker.output, selectors.EVENT_READ)
        worker.send(task)

    def _release(self, descriptor: int) -> _Running:
        self._selector.unregister(descriptor)
        return self._busy.pop(descriptor)

    def _collect(self, descriptor: int) -> None:
        running = self._release(descriptor)
        reply = running.worker.receive()
        if reply is None:
            self._results[running.index] = _why_dead(running)
            self._replace(running.worker)
        else:
            self._results[running.index] = Failed("memory", reply.error) if reply.error else reply
            self._assign(running.worker)

    def _replace(self, dead: Worker) -> None:
        """Go on with another worker, if there is anything to go on with."""
        fresh = self._pool.replace(dead, wanted=bool(self._waiting))
        if fresh is not None:
            self._assign(fresh)

    def _kill_late(self) -> None:
        now = time.monotonic()
        for descriptor, running in list(self._busy.items()):
            if now - running.started > BACKSTOP_SECONDS:
                self._release(descriptor)
                self._results[running.index] = _why_dead(running)
                self._replace(running.worker)


def _why_dead(running: _Running) -> Failed:
    """Kill a worker that is late, and tell what ended it: its own limits, the backstop, or a crash."""
    cpu, taken = running.worker.cpu_seconds(), time.monotonic() - running.started
    late = taken > BACKSTOP_SECONDS
    code = running.worker.kill() if late else running.worker.exit_code()
    limit = system.limit_hit(code)
    if not late and limit is None:
        return Failed("died", f"the worker died ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})")
    if cpu is None or running.cpu is None:
        # Computing and waiting cannot be told apart here, and an endless loop must not pass for an internal error.
        return Failed("timeout", f"no verdict after {taken:.1f} s")
    computed = cpu - running.cpu
    if limit == "cpu" or computed > IDLE_SECONDS:
        return Failed("timeout", f"computed for {computed:.1f} s")
    return Failed("stalled", f"no verdict, and only {computed:.1f} s computed")


def default_workers() -> int:
    """This process's share of the CPUs, which the ranks on one machine divide."""
    ranks = max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1") or 1))
    return max(1, system.cpus() // ranks)


def _forget_all() -> None:
    for pool in list(_POOLS):
        pool._forget()


system.after_fork(_forget_all)
