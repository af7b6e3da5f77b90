"""Locks, imports and clean-up across a fork, which copies one thread and the locks of all.

Trainers and data loaders fork at any time, so whatever outlives a call must be usable in a child.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

L = TypeVar("L")


def after_fork(call: Callable[[], None]) -> None:
    """Run `call` in every forked child; does nothing on systems without fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)


def renewed_at_fork(lock: L) -> L:
    """The lock, which every forked child finds free.

    A thread that holds a lock at the moment of a fork does not exist in the child, where nobody would ever release it.
    All locks that outlive a call are made with this.
    """
    _LOCKS.add(lock)
    return lock


def _renew_locks() -> None:
    for lock in list(_LOCKS):
        lock._at_fork_reinit()


_LOCKS: WeakSet[Any] = WeakSet()
after_fork(_renew_locks)


@contextmanager
def not_forked() -> Iterator[None]:
    """Let forks wait while the block runs.

    For what imports modules: Python locks a module while a thread imports it and never renews that lock, so that a
    child forked meanwhile would wait for ever when it imports the same.
    """
    with _WHOLE:
        yield


def _before_fork() -> None:
    # A thread that forks may hold what the block waits for, such as the lock of a module.
    _TAKEN.append(_WHOLE.acquire(timeout=FORK_SECONDS))


def _forked() -> None:
    if _TAKEN.pop():
        _WHOLE.release()


FORK_SECONDS = 30.0
"""How long a fork waits for the blocks of `not_forked`."""
_WHOLE = threading.RLock()
_TAKEN: list[bool] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_forked, after_in_child=_forked)
