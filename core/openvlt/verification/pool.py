"""The worker processes of this process: shared by all threads, lent to one batch at a time, always given back.

A batch registers before it borrows, and the pool counts what registered batches hold instead of keeping a number. So no
exception, not even a second Ctrl-C in the middle of the clean-up, can lose a worker: a batch that has not ended
although its thread goes on or is gone is ended by the next one.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING

from openvlt import forks, system
from openvlt.store import digest
from openvlt.verification.limits import TIGHT_BYTES
from openvlt.verification.messages import Setup
from openvlt.verification.process import Worker

if TYPE_CHECKING:
    from openvlt.verification.batch import Batch

_POOLS: dict[tuple[str, int], Pool] = {}
_LOCK = forks.renewed_at_fork(threading.RLock())


class Pool:
    """Worker processes with the same verifiers.

    They start when they are needed, and one more than `size` is kept warm to replace one that dies. Any thread may
    borrow; a forked child starts workers of its own.

    Args:
        setup: what the workers import.
        workers: how many run at once; None for this process's share of the CPUs.
    """

    def __init__(self, setup: Setup, workers: int | None = None) -> None:
        system.require_pipes()
        self._setup = setup
        self.size = workers or default_workers()
        self.holders = 0
        self._free: deque[Worker] = deque()
        self._borrowers: list[Batch] = []
        self._changed = forks.renewed_at_fork(threading.Condition())

    @staticmethod
    def shared(setup: Setup, workers: int | None) -> Pool:
        """The pool of this process with that setup; each caller must `release` it."""
        size = workers or default_workers()
        with _LOCK:
            key = (digest(setup), size)
            if key not in _POOLS:
                _POOLS[key] = Pool(setup, size)
            _POOLS[key].holders += 1
            return _POOLS[key]

    def release(self) -> None:
        """End the workers unless somebody else shares the pool."""
        with _LOCK:
            self.holders -= 1
            if self.holders > 0:
                return
            for key in [key for key, pool in _POOLS.items() if pool is self]:
                del _POOLS[key]
        self.close()

    def close(self) -> None:
        """End all workers that are not at work."""
        with self._changed:
            workers, self._free = list(self._free), deque()
            self._changed.notify_all()
        for worker in workers:
            worker.kill()

    def enter(self, borrower: Batch) -> None:
        """Register who will borrow, and end what its thread, or one that is gone, was kept from ending."""
        with self._changed:
            here = threading.current_thread()
            for stale in [each for each in self._borrowers if each.thread is here or not each.thread.is_alive()]:
                self.leave(stale)
            self._borrowers.append(borrower)

    def leave(self, borrower: Batch) -> None:
        """Take all workers back; one that is in the middle of a message is ended."""
        with self._changed:
            for worker in list(borrower.workers):
                if worker.clean:
                    self.give_back(borrower, worker)
                else:
                    self.drop(borrower, worker)
            if borrower in self._borrowers:
                self._borrowers.remove(borrower)

    def borrow(self, borrower: Batch, *, wait: bool) -> Worker | None:
        """A worker, which may still be starting; None if all are lent and `wait` is False.

        Raises:
            OSError: the machine has no room for another process.
        """
        with self._changed:
            while (worker := self._next(borrower)) is None:
                if not wait:
                    return None
                self._changed.wait()
            return worker

    def give_back(self, borrower: Batch, worker: Worker) -> None:
        """Take a worker back."""
        with self._changed:
            if worker not in self._free:
                self._free.appendleft(worker)  # its caches are warm, so it goes first next time
            borrower.workers.remove(worker)
            self._changed.notify()

    def drop(self, borrower: Batch, worker: Worker) -> None:
        """End a worker."""
        worker.kill()
        with self._changed:
            borrower.workers.remove(worker)
            self._changed.notify()

    def keep_spare(self) -> None:
        """Start the spare worker; called when one is ready, so that it does not slow the start of those at work."""
        with self._changed:
            if not self._free and self._count() <= self.size and not memory_is_tight():
                self._free.append(Worker(self._setup))
                self._changed.notify()

    def _next(self, borrower: Batch) -> Worker | None:
        while self._free:
            worker = next((worker for worker in self._free if worker.ready), self._free[0])
            if worker.alive():
                borrower.workers.append(worker)
                self._free.remove(worker)
                return worker
            self._free.remove(worker)
            worker.kill()
        if self._count() > self.size:
            return None
        borrower.workers.append(Worker(self._setup))
        return borrower.workers[-1]

    def _count(self) -> int:
        return len(self._free) + sum(len(borrower.workers) for borrower in self._borrowers)

    def _forget(self) -> None:
        """Close the parent's pipes in a forked child: while a copy is open, the workers do not see the parent end."""
        for worker in [*self._free, *(worker for borrower in self._borrowers for worker in borrower.workers)]:
            worker.forget()
        self._free, self._borrowers = deque(), []


def default_workers() -> int:
    """This process's share of the CPUs, which the ranks on one machine divide."""
    ranks = max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1") or 1))
    return max(1, system.cpus() // ranks)


def memory_is_tight() -> bool:
    """True if the machine has little memory left for workers."""
    available = system.available_memory()
    return available is not None and available < TIGHT_BYTES


def _forget_all() -> None:
    for pool in _POOLS.values():
        pool._forget()


forks.after_fork(_forget_all)
