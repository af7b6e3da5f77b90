"""A server that a training needs, such as one that writes rollouts: it ends with the training, however that ends.

The server is the child of a process of this module, in a session of both. That process is told by a closed pipe that
the training is gone, even if it was killed, and kills the session.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from openvlt import system
from openvlt.errors import OpenvltError
from openvlt.stages.commands import last_error, tail

GPUS = "OPENVLT_SERVER_GPUS"
"""Environment variable of a training: the GPUs set aside for its server, as CUDA_VISIBLE_DEVICES names them."""


def serve(
    command: Sequence[str], log: Path, environment: Mapping[str, str], died: Callable[[OpenvltError], None]
) -> Callable[[], None]:
    """Start a server on the GPUs set aside for it.

    Args:
        command: program and arguments.
        log: what it prints is appended to this file.
        environment: variables to add to those of this process.
        died: called in a thread if it ends by itself, with its last error.

    Returns:
        Ends it, with all its processes.
    """
    gpus = {"CUDA_VISIBLE_DEVICES": os.environ[GPUS]} if GPUS in os.environ else {}
    start = log.stat().st_size if log.exists() else 0
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "openvlt.stages.servers", *command], stdin=subprocess.PIPE, stdout=file, stderr=file,
            env={**os.environ, **gpus, **environment}, start_new_session=True,
        )  # fmt: skip
    ending = threading.Event()

    def watch() -> None:
        code = process.wait()
        if not ending.is_set():
            system.end(process, by_force=True)
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            died(OpenvltError(
                f"The server of the training {how}; it printed last: {last_error(tail(log, start)).rstrip('.')}.",
                f"See {log}; the same command resumes from the last checkpoint.",
            ))  # fmt: skip

    threading.Thread(target=watch, daemon=True).start()

    def end() -> None:
        ending.set()
        system.end(process, by_force=True)
        process.wait()

    return end


def _attend(command: Sequence[str]) -> int:
    """Run the server to its end; a signal to the session is the server's to obey."""
    system.die_with_parent()
    signal.signal(signal.SIGTERM, lambda *_: None)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL).wait()


if __name__ == "__main__":
    code = _attend(sys.argv[1:])
    if code < 0:  # die as it died
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    sys.exit(code)
