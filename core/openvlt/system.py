"""System calls that only some operating systems have, and the fallbacks.

Linux has all of them. Elsewhere a missing limit has no replacement; what remains is the limit by wall time, because the
pool kills a worker that exceeds its deadline.
"""

from __future__ import annotations

import errno
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import Popen

from openvlt.errors import UsageError

OF_MACHINE = {errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOSPC, errno.ESTALE}
"""Errors that say nothing about what is read or started: the machine has no room, or its disk or network fails."""

KILLED = -9
"""Exit code of a process killed by SIGKILL, which the kernel sends when memory runs out."""

_NAMED_GIGABYTE = int(0.88 * 2**30)
"""Bytes that a slice has at least for each ``gb`` of its name; ``nvidia-smi mig -lgip`` shows 10.62 GiB for 12gb
(GH200), 16 for 18gb (H200), 9.5 for 10gb (A100)."""
_SECRET = re.compile(
    r"(?:(?<!IB_P)KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|COOKIE|WEBHOOK)S?(?![A-Z])"
    r"|(?<![A-Z])(?:O?AUTH|AUTHORIZATION|PASS|PAT|JWT|DSN)(?![A-Z])|(?<=_)PWD(?![A-Z])|CONNECTION_STRING",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"://[^/\s@]*:[^/\s@]+@")


def child_environment(*keep: str, **added: str) -> dict[str, str]:
    """The environment of a child process: that of this one without what is secret.

    A variable is secret if a word of its name ends in KEY, TOKEN, SECRET, PASSWORD, PASSWD, PASSPHRASE, CREDENTIAL,
    COOKIE or WEBHOOK, if a word is AUTH, OAUTH, AUTHORIZATION, PASS, PAT, PWD, JWT or DSN, if its name has
    CONNECTION_STRING, or if its value is a URL with a password; InfiniBand's partition keys (NCCL_IB_PKEY) are none. So
    an error report or a log of a child contains no secret.

    Args:
        keep: names of secret variables the child needs.
        added: variables to add or replace.
    """
    public = {name: value for name, value in os.environ.items() if name in keep or not is_secret(name, value)}
    return public | added


def is_secret(name: str, value: str = "") -> bool:
    """True if an environment variable is secret by its name or value; see `child_environment`."""
    return bool(_SECRET.search(name) or _LOGIN.search(value))


def die_with_parent(pipe: int = 0) -> None:
    """Kill this process, with its process group if it leads one, as soon as its parent ends or closes a pipe to it.

    A thread watches the pipe, which closes when the parent closes it or is killed, and the parent's id, since what the
    parent has forked keeps the pipe open. Linux could send a signal instead, but sends it when the *thread* ends that
    started this process.

    Args:
        pipe: descriptor that the parent writes to; nothing is read from it.
    """
    parent = os.getppid()

    def watch() -> None:
        if hasattr(select, "poll"):
            closed = select.poll()
            closed.register(pipe, 0)  # a closed pipe is reported whatever is asked for
            while os.getppid() == parent and not closed.poll(1000):
                pass
        else:
            while os.read(pipe, 1024):
                pass
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def cpus() -> int:
    """CPUs this process may use; all of them on systems without CPU affinity."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs this process may use: those that CUDA_VISIBLE_DEVICES names, as it names them, else all.

    CUDA reads the names up to the first that it does not know; here an index that is not there, or that comes again. Of
    slices of GPUs (MIG) one is used, the first, and beside whole GPUs none: they cannot reach each other, and before
    the driver 570 CUDA shows a process only one (NVIDIA's MIG user guide).
    """
    installed, slices, found = _gpus(), _slices(), list[str]()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None or not (installed or slices):
        return list(installed) or list(slices)[:1]
    for each in named.split(","):
        name = each.strip()
        name = name.lstrip("0") or "0" if name.isdecimal() else name
        if name in found or not (name in installed or name in slices or name.startswith("GPU-")):
            break
        found.append(name)
    return [name for name in found if name not in slices] or found[:1]


def gpu_bytes() -> int:
    """Memory of the smallest of the visible GPUs; 0 without any."""
    installed = _gpus() | _slices()
    smallest = min(installed.values(), default=0)
    return min((installed.get(name, smallest) for name in visible_gpus()), default=0)


@cache
def _gpus() -> dict[str, int]:
    """Bytes of memory of the whole GPUs by index; one in MIG mode is none."""
    asked = _nvidia_smi("--query-gpu=index,memory.total,mig.mode.current", "--format=csv,noheader,nounits")
    rows = (line.replace(" ", "").split(",") for line in asked if line.count(",") == 2)
    return {index: int(size) << 20 for index, size, mode in rows if size.isdecimal() and mode != "Enabled"}


@cache
def _slices() -> dict[str, int]:
    """Bytes of MIG's slices by UUID, and of the first of each GPU by its index, for which CUDA takes it.

    The lines, and that the name of a slice has its memory, are those of NVIDIA's MIG user guide ("MIG Device Names"):
    ``MIG 1c.3g.40gb  Device  0: (UUID: MIG-...)`` below ``GPU 0: ...``.
    """
    found, index = dict[str, int](), ""
    for line in _nvidia_smi("-L"):
        if gpu := re.match(r"\s*GPU (\d+): ", line):
            index = gpu[1]
        elif part := re.match(r"\s*MIG \S*\.(\d+)gb\S*\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)", line):
            found[part[2]] = size = int(part[1]) * _NAMED_GIGABYTE
            found.setdefault(index, size)
    return found


def _nvidia_smi(*arguments: str) -> list[str]:
    """The lines that the driver's program prints, for importing torch takes seconds; none without it."""
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", *arguments]
    asked = subprocess.run(command, env=child_environment(), capture_output=True, text=True, check=False)
    return asked.stdout.splitlines()


def memory() -> int | None:
    """Bytes of main memory; None if unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process does.

    Attributes:
        cpu: seconds of CPU time so far.
        sleeps: it waits for something other than the CPU, the disk, or being let go on after it was stopped.
    """

    cpu: float
    sleeps: bool


def usage(pid: int) -> Usage | None:
    """What a process has used so far, also after its end until it is waited for; None if unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return Usage((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), fields[0] == "S")


def available_memory() -> int | None:
    """Bytes of memory that new processes may use, on the machine and in this container; None if unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    with suppress(OSError, ValueError):  # there is no limit, or an older kind of it
        group = Path(
            "/sys/fs/cgroup" + Path("/proc/self/cgroup").read_text(encoding="ascii").rpartition("::")[2].strip()
        )
        limit, used = (int((group / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
        files = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        available = min(available, limit - used + int(files["inactive_file"]))
    return available


def limit_memory(growth: int) -> Callable[[], bool]:
    """Limit the growth of this process to `growth` bytes; no limit if its size is unknown.

    Returns:
        Tells whether somebody else limits it to less.
    """
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return lambda: False
    wanted = used + growth
    given = [
        wanted if limit == resource.RLIM_INFINITY else min(limit, wanted)
        for limit in resource.getrlimit(resource.RLIMIT_AS)
    ]
    resource.setrlimit(resource.RLIMIT_AS, (given[0], given[1]))
    return lambda: 0 <= resource.getrlimit(resource.RLIMIT_AS)[0] < wanted


def has_timers() -> bool:
    """True if a process can limit its own CPU time."""
    return hasattr(signal, "setitimer")


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Kill this process if the block takes more CPU time, even inside a C function; no limit without timers."""
    if not has_timers():
        yield
        return
    # The default action of the signal kills the process at once; a Python handler would wait for the C function.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def cpu_limit_hit(code: int) -> bool:
    """True if `cpu_limit` has killed a process with this exit code."""
    return has_timers() and code == -signal.SIGPROF


def end(child: Popen[bytes], *, by_force: bool) -> None:
    """Terminate or kill a child that leads its own session, with its whole session on systems that have them."""
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL if by_force else signal.SIGTERM)
        elif by_force:
            child.kill()
        else:
            child.terminate()


def require_pipes() -> None:
    """Refuse a system that cannot wait for several pipes at once.

    Raises:
        UsageError: this is Windows.
    """
    if sys.platform == "win32":
        raise UsageError(
            "Verifiers cannot run in worker processes on Windows, which cannot wait for several pipes at once.",
            "Run openvlt in the Windows Subsystem for Linux (WSL).",
        )


def sync(path: Path) -> None:
    """Make a file's content, or the names in a folder, survive a crash of the machine."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):
        return
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def exchange(new: Path, old: Path) -> None:
    """Put the folder `new` in the place of `old`, which need not exist and is at `new` afterwards.

    At no moment is there nothing at `old`, except on systems and file systems that cannot exchange two names.
    """
    if not old.exists():
        new.rename(old)
    elif not _exchanged(new, old):
        aside = new.with_name(f"{new.name}.old")
        old.rename(aside)
        new.rename(old)
        aside.rename(new)


def _exchanged(new: Path, old: Path) -> bool:
    """Exchange two names by the call of Linux that Python does not offer."""
    import ctypes

    call = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    here, both = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of linux/fs.h
    return call is not None and call(here, os.fsencode(new), here, os.fsencode(old), both) == 0
