"""The calls that not every operating system has, and what happens without them.

Linux has all of them. Elsewhere a missing limit is not replaced: what remains is wall time, because the pool kills a
worker that is late.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Literal

from openvlt.errors import UsageError

KILLED = -9
"""Exit code of a process ended by SIGKILL, which the kernel sends when memory runs out."""


def cpus() -> int:
    """CPUs this process may use; all of them where a process cannot be bound to some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> int | None:
    """Bytes of main memory; None if unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def cpu_seconds(pid: int) -> float | None:
    """CPU time a process has used so far, also after its end until it is waited for; None if unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def limit_memory(growth: int) -> None:
    """Let this process grow by `growth` bytes at most; no limit where its size is unknown."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + growth, used + growth))


@contextmanager
def time_limit(cpu: float, wall: float) -> Iterator[None]:
    """End this process if the block runs too long, even inside a C function; no limit where there are no timers.

    Args:
        cpu: seconds it may compute.
        wall: seconds it may take.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    # The default action of both signals ends the process at once.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, wall)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def limit_hit(code: int) -> Literal["cpu", "wall"] | None:
    """Which limit of `time_limit` ended a process with this exit code, if one did."""
    if hasattr(signal, "setitimer"):
        if code == -signal.SIGPROF:
            return "cpu"
        if code == -signal.SIGALRM:
            return "wall"
    return None


def end(child: Popen[bytes], *, by_force: bool) -> None:
    """Ask a child that leads its own session, and all of that session, to end; only the child where there are none."""
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL if by_force else signal.SIGTERM)
        elif by_force:
            child.kill()
        else:
            child.terminate()


def after_fork(call: Callable[[], None]) -> None:
    """Have `call` run in every forked child; never where processes do not fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)


def require_pipes() -> None:
    """Refuse a system on which nobody can wait for several pipes at once.

    Raises:
        UsageError: this is Windows.
    """
    if sys.platform == "win32":
        raise UsageError(
            "Verifiers cannot run in worker processes on Windows, where pipes cannot be waited for together.",
            "Run openvlt in the Windows Subsystem for Linux (WSL).",
        )
