"""Commands of other environments, such as a foreign trainer: run only where the user allows it, watched, and ended."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from openvlt import system
from openvlt.errors import OpenvltError, UsageError
from openvlt.keys import allowed, mask_keys

GRACE_SECONDS = 60.0
"""How long a command that is asked to end may take, before it is killed."""
_POLL_SECONDS = 0.5
_TAIL = 64 * 1024
_OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables that describe this environment, and would mislead another."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PROCESS = re.compile(r"^\([^()]*\bpid=\d+[^()]*\)")
"""What Ray puts before the lines of its processes."""
_ERROR = re.compile(r"[\w.]*(?:Error|Exception|Interrupt|Exit)\b")


def command_output(command: Sequence[str], seconds: float = 120.0) -> str:
    """What a short command of another environment prints.

    Raises:
        UsageError: the user has not allowed it, there is no such program, or it fails.
    """
    command = _program(command)
    try:
        done = subprocess.run(
            command, env=_environment(system.child_environment()), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=seconds, check=False,
        )  # fmt: skip
        failure = last_error(done.stderr) if done.returncode else ""
    except subprocess.TimeoutExpired:
        failure = f"it did not answer within {seconds:g} s"
    except OSError as error:
        failure = str(error.strerror)
    if failure:
        raise UsageError(
            f"{command[0]} cannot be used: {failure.rstrip('.')}.", "Name another program, or mend its environment."
        )
    return done.stdout


def run_command(
    command: Sequence[str], folder: Path, log: Path, watch: Callable[[], None], environment: Mapping[str, str]
) -> None:
    """Run a command to its end. It sees no secret that this process does not see.

    Args:
        command: program and arguments.
        folder: it works in.
        log: what it prints is appended to this file.
        watch: called twice a second while it runs, and once more after; what it raises ends the command.
        environment: variables to add.

    Raises:
        UsageError: the user has not allowed it, or there is no such program.
        OpenvltError: it failed; the message has the last error it printed.
    """
    command = _program(command)
    start = log.stat().st_size if log.exists() else 0
    with log.open("ab") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            env=_environment(os.environ) | dict(environment),
        )  # fmt: skip
        try:
            while process.poll() is None:
                watch()
                time.sleep(_POLL_SECONDS)
            watch()
        finally:
            _end(process)
    code = process.returncode
    if code:
        hint = " (out of memory?)" if code == system.KILLED else ""
        how = f"was killed by signal {-code}{hint}" if code < 0 else f"ended with code {code}"
        raise OpenvltError(
            f"{command[0]} {how}; it printed last: {last_error(tail(log, start)).rstrip('.')}.",
            f"See {log}; the same command resumes from its last checkpoint.",
        )


def last_error(printed: str) -> str:
    """The last line that names an error, as Python prints it, else the last line."""
    plain = (_PROCESS.sub("", line).strip() for line in _COLOUR.sub("", printed).splitlines())
    lines = [line for line in plain if line]
    found = [line for line in lines if _ERROR.match(line)] or lines or ["it printed nothing"]
    return mask_keys(found[-1][:500])


def _program(command: Sequence[str]) -> list[str]:
    """The command with the path of its program from the root: it may work in another folder."""
    program = os.path.abspath(os.path.expanduser(command[0]))
    if "engine" not in allowed():
        raise UsageError(
            f"The recipe runs {command[0]}, a program outside openvlt.",
            "Allow it if you trust the recipe: --allow engine.",
        )
    if not (os.path.isfile(program) and os.access(program, os.X_OK)):
        raise UsageError(
            f"'{command[0]}' is no program.", "Give the path of the Python that the engine is installed in."
        )
    return [program, *command[1:]]


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in inherited.items() if name not in _OURS}


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tail(log: Path, start: int) -> str:
    """The end of what was printed to a file after `start`, at most 64 KiB."""
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - _TAIL))
        return file.read().decode(errors="replace")
