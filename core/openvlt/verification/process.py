"""A worker process as the core sees it: started, given tasks, watched, ended."""

from __future__ import annotations

import os
import sys
import time
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired

from openvlt import system
from openvlt.verification.limits import START_SECONDS
from openvlt.verification.messages import Reply, Setup, Task, frame, read_frame


class Worker:
    """One child process. It is ready once it has imported its verifiers.

    Attributes:
        deadline: when it must be ready, on the monotonic clock.
        ready: True if it has said so.
        clean: True if it is between two messages, so that another batch can go on with it.

    Raises:
        OSError: the machine has no room for another process.
    """

    def __init__(self, setup: Setup) -> None:
        path = os.pathsep.join(dict.fromkeys(os.path.abspath(entry) for entry in sys.path))
        single = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}
        hidden = {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
        self._process = Popen(
            [sys.executable, "-m", "openvlt.verification.worker"],
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            bufsize=0,  # a buffer has a lock, which a forked child would find held
            process_group=0,  # what a verifier starts ends with its worker
            env=system.child_environment(**single, **hidden),
        )
        self.deadline = time.monotonic() + START_SECONDS
        self.ready = False
        self.clean = False
        self.send(setup)
        self.clean = True

    @property
    def output(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def send(self, message: Setup | Task) -> None:
        """Hand over a message; a process that is gone is seen when its reply is read."""
        assert self._process.stdin is not None
        self.clean = False
        data = memoryview(frame(message))
        try:
            while data:
                data = data[os.write(self._process.stdin.fileno(), data) :]
        except OSError:
            return

    def receive(self) -> Reply | None:
        """The reply that has arrived; None if the process is gone."""
        self.clean = False
        reply = read_frame(self.output, Reply)
        self.clean = reply is not None
        return reply

    def alive(self) -> bool:
        return self._process.poll() is None

    def usage(self) -> system.Usage | None:
        """What the process has used so far; None if unknown."""
        return system.usage(self._process.pid)

    def exit_code(self) -> int:
        """The exit code of a process that closed its pipe, negative for a signal."""
        try:
            return self._process.wait(timeout=1)
        except TimeoutExpired:
            system.end(self._process, by_force=True)
            return self._process.wait()

    def kill(self) -> None:
        """End the process."""
        if self.alive():
            system.end(self._process, by_force=True)
            self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Close the pipes; the process ends by itself when it reads."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
