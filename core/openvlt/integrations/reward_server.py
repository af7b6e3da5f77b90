"""A reward over HTTP: the processes that serve it, started, watched and ended."""

from __future__ import annotations

import json
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any, Self

from openvlt import system
from openvlt.errors import OpenvltError, UsageError
from openvlt.integrations.reward_worker import GRACE_SECONDS, counted
from openvlt.integrations.scores import REWARD_FILE, reward_of
from openvlt.stages.asker import models_asked, secrets_of

START_SECONDS = 120.0
"""How long a process may take to start on a busy machine."""
FAILED_STARTS = 5
"""Processes that must end before they serve, one after the other, before the server gives up."""


class RewardServer:
    """Serves the reward of a recipe while its context lasts.

    Args:
        spec: see `openvlt.integrations.scores.reward_of`.
        host: address to listen at.
        port: 0 for any that is free.
        workers: processes.
        folder: for files while it serves; by default that of the system.

    Attributes:
        url: where it is served.
        verifiers: their names, in the order they run.
        grouped: names of the verifiers that compare the responses to a question, which must come in one request.

    Raises:
        PluginError, UsageError: a verifier or an option is wrong, or the address cannot be listened at.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        host: str = "127.0.0.1",
        port: int = 0,
        workers: int = 1,
        folder: Path | None = None,
    ) -> None:
        system.require_pipes()
        _, built = reward_of(spec).components()
        self.verifiers = list(built)
        self.grouped = [name for name, each in built.items() if each.component.grouped]
        self._secrets = secrets_of(models_asked(built.values()))
        self._files = {
            REWARD_FILE: spec,
            "told.json": {"status": "ok", "verifiers": self.verifiers, "grouped": self.grouped, "workers": workers},
        }
        self._address, self._workers, self._within = (host, port), workers, folder
        self._processes: list[Popen[bytes]] = []
        self._failed = 0

    def __enter__(self) -> Self:
        host, port = self._address
        try:
            self._socket = socket.create_server(self._address, family=_family(host), backlog=1024)
        except OSError as error:
            raise UsageError(
                f"Nothing can listen at {host}:{port}: {error.strerror or error}.", "Choose another --host or --port."
            ) from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        self._kept = tempfile.TemporaryDirectory(prefix="openvlt-rewards-", dir=self._within)
        self._folder = Path(self._kept.name)
        for name, content in self._files.items():
            (self._folder / name).write_text(json.dumps(content))
        try:
            self._processes = [self._start() for _ in range(self._workers)]
            end = time.monotonic() + START_SECONDS
            while not all(map(self._is_ready, self._processes)):
                self.watch()
                if time.monotonic() > end:
                    raise OpenvltError(
                        f"The reward server did not start within {START_SECONDS:g} s.", "See what it printed."
                    )
                time.sleep(0.05)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Let the processes finish what is in flight, and end them."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + GRACE_SECONDS
        for process in self._processes:
            with suppress(TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
            self._drop(process)
        self._socket.close()
        self._kept.cleanup()

    @property
    def pids(self) -> list[int]:
        """Of the processes that serve."""
        return [process.pid for process in self._processes]

    def verdicts(self) -> dict[str, int]:
        """Verdicts so far, by ``VERIFIER/STATUS``."""
        return {key: count for key, count in counted(self._folder).items() if "/" in key}

    def watch(self) -> None:
        """Replace the processes that have died; to be called often.

        Raises:
            OpenvltError: the reward cannot be built, or one process after another ends before it serves.
        """
        for index, process in enumerate(self._processes):
            if process.poll() is None:
                continue
            self._failed = 0 if self._is_ready(process) else self._failed + 1
            self._drop(process)
            if (error := self._folder / "error.json").exists():
                raise UsageError(*json.loads(error.read_bytes()))
            if self._failed >= FAILED_STARTS:
                raise OpenvltError(
                    f"The processes of the reward server end before they serve (exit code {process.returncode}).",
                    "See what they printed.",
                )
            self._processes[index] = self._start()

    def _start(self) -> Popen[bytes]:
        descriptor = self._socket.fileno()
        return Popen(
            [sys.executable, "-m", "openvlt.integrations.reward_worker", str(self._folder), str(descriptor)],
            stdin=PIPE, pass_fds=[descriptor],
            process_group=0, env=system.child_environment(*self._secrets),
        )  # fmt: skip

    def _is_ready(self, process: Popen[bytes]) -> bool:
        return (self._folder / f"ready-{process.pid}").exists()

    @staticmethod
    def _drop(process: Popen[bytes]) -> None:
        system.end(process, by_force=True)
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
