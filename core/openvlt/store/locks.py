"""Locks on runs, stages and the store, which the system releases however a process ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from openvlt.errors import UsageError
from openvlt.store.home import Home
from openvlt.store.writing import writing
from openvlt.terminal import escape

PATIENCE = 2.0
"""Seconds to wait for a lock that another process may hold for a moment, to see whether a run is at work."""

_NAME = re.compile(r"\w[\w. +-]{0,99}")


def run_folder(home: Home, name: str) -> Path:
    """The folder of a run.

    Raises:
        UsageError: it cannot be a name, such as a path that leads out of the store.
    """
    if not is_name(name):
        raise UsageError(
            f"'{escape(name[:120])}' cannot be the name of a run.",
            "Use up to 100 letters, digits, spaces, dots, dashes and underscores, and begin with a letter or a digit.",
        )
    return home.runs / name


def is_name(name: str) -> bool:
    """True if a run can have this name."""
    return _NAME.fullmatch(name) is not None


@contextmanager
def locked(path: Path, busy: UsageError, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock.

    Args:
        path: of the lock.
        busy: raised if another process holds it.
        patience: seconds to wait for it.
    """
    lock = FileLock(path, timeout=patience)
    try:
        lock.acquire()
    except Timeout:
        raise busy from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def claimed_run(home: Home, name: str) -> Iterator[None]:
    """Lock a run, so that no other process overwrites its record or prunes what it needs.

    Raises:
        UsageError: another process is carrying out the same run, or prunes the store.
    """
    run_folder(home, name)
    with writing(home.locks):
        home.locks.mkdir(exist_ok=True)
    busy = UsageError(
        f"Another process is working on the same run {name}.",
        "Wait until it has ended, or carry this one out under another name.",
    )
    with ExitStack() as held:
        with unpruned(home):
            held.enter_context(locked(_lock(home, name), busy, PATIENCE))
        yield


def is_claimed(home: Home, name: str, *, unknown: bool = True) -> bool:
    """True if a process is carrying out the run; `unknown` if that cannot be told, as in a store of another user."""
    if not _lock(home, name).exists():
        return False
    try:
        with FileLock(_lock(home, name), timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return unknown


def any_claimed(home: Home) -> bool:
    """True if a process is carrying out some run."""
    return any(is_claimed(home, path.name.removesuffix(".lock")) for path in home.locks.glob("*.lock"))


def unpruned(home: Home) -> AbstractContextManager[None]:
    """Keep the store from being pruned; the one who prunes it holds this until the end, so that no run begins.

    Raises:
        UsageError: another process prunes the store.
    """
    busy = UsageError(
        f"'openvlt runs prune' is at work in {home.root}.", "Wait until it has ended, then run this command again."
    )
    return locked(home.root / "prune.lock", busy, 5 * PATIENCE)


def _lock(home: Home, name: str) -> Path:
    return home.locks / f"{name}.lock"
