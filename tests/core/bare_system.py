"""An operating system without what Linux has, for one interpreter: imported as its ``sitecustomize``."""

import builtins
import io
import os
import signal
import sys
from typing import Any

MISSING = {
    os: ("fork", "killpg", "register_at_fork", "sched_getaffinity", "sysconf"),
    signal: ("ITIMER_PROF", "ITIMER_REAL", "SIGALRM", "SIGPROF", "setitimer"),
}
_open = io.open


def _open_without_proc(file: Any, *args: Any, **kwargs: Any) -> Any:
    if str(file).startswith("/proc/"):
        raise FileNotFoundError(2, "No such file or directory", str(file))
    return _open(file, *args, **kwargs)


builtins.open = io.open = _open_without_proc  # type: ignore[assignment]
sys.modules["resource"] = None  # type: ignore[assignment]
for module, names in MISSING.items():
    for name in names:
        delattr(module, name)
