"""A process that runs verifiers and can be killed: ``python -m openvlt.verification.worker``.

It reads a `Setup`, imports its verifiers, reports that it is ready, and then replies to each `Task` until its input
closes. `openvlt.system.time_limit` ends the process when a claim takes too long, since Python cannot interrupt a C
function that hangs. The core sees the closed pipe and reads the exit code.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

from openvlt import system
from openvlt.interfaces import AnswerVerifier, Verifier
from openvlt.records import Verdict
from openvlt.registry import Registry
from openvlt.verification.limits import CPU_SECONDS, MEMORY_BYTES, WALL_SECONDS
from openvlt.verification.messages import Reply, Setup, Task, frame, read_frame


def main() -> None:
    """Serve until the input closes."""
    inputs, outputs = os.dup(0), os.dup(1)
    _silence()
    setup = read_frame(inputs, Setup)
    if setup is None:
        return
    try:
        verifiers = _build(setup)
    except Exception as error:  # noqa: BLE001 (the boundary: a plugin may raise anything)
        _write(outputs, Reply(error=f"{type(error).__name__}: {error}"))
        return
    system.limit_memory(MEMORY_BYTES)
    _write(outputs, Reply())
    while (task := read_frame(inputs, Task)) is not None:
        _write(outputs, _reply(verifiers[task.verifier], task))


def _silence() -> None:
    """Keep the pipes free of what a verifier prints, and the tasks safe from what it reads."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)


def _write(descriptor: int, reply: Reply) -> None:
    data = memoryview(frame(reply))
    while data:
        data = data[os.write(descriptor, data) :]


def _build(setup: Setup) -> dict[str, Verifier]:
    registry = Registry.discover([Path(file) for file in setup.files])
    verifiers = {}
    for identity, spec in setup.verifiers.items():
        verifiers[identity] = registry.build(Verifier, spec, format=setup.format).component
        for module in getattr(verifiers[identity], "imports", ()):
            import_module(module)
    return verifiers


def _reply(verifier: Verifier, task: Task) -> Reply:
    with system.time_limit(CPU_SECONDS, WALL_SECONDS):
        try:
            return Reply(verdicts=tuple(_run(verifier, task)))
        except (MemoryError, RecursionError) as error:
            return Reply(error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 (the boundary: a verifier may raise anything)
            return Reply(verdicts=tuple(Verdict.error(f"{type(error).__name__}: {error}"[:500]) for _ in task.claims))


def _run(verifier: Verifier, task: Task) -> list[Verdict]:
    if task.mode == "group":
        return verifier.verify_group(task.claims)
    (claim,) = task.claims
    if task.mode == "check" and isinstance(verifier, AnswerVerifier) and claim.answer is not None:
        return [verifier.check(claim.answer, claim)]
    return [verifier.verify(claim)]


if __name__ == "__main__":
    sys.setrecursionlimit(3_000)
    main()
