"""A process that runs verifiers and can be killed: ``python -m openvlt.verification.worker``.

It reads a `Setup`, imports its verifiers, reports that it is ready, and then replies to each `Task` until its input
closes. `openvlt.system.cpu_limit` ends the process when a claim computes too long, since Python cannot interrupt a C
function that hangs. The core sees the closed pipe and reads the exit code.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from openvlt import system
from openvlt.errors import printable
from openvlt.interfaces import AnswerVerifier, ImageReader, LookingVerifier, Verifier
from openvlt.records import Verdict
from openvlt.registry import Built, Registry
from openvlt.results import check_verdicts
from openvlt.store import ImageStore
from openvlt.verification.checking import failed
from openvlt.verification.messages import Reply, Setup, Task, frame, read_frame


def main() -> None:
    """Serve until the input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    inputs, outputs = os.dup(0), os.dup(1)
    _silence()
    system.die_with_parent(inputs)
    setup = read_frame(inputs, Setup)
    if setup is None:
        return
    try:
        verifiers = _build(setup)
    except BaseException as error:  # noqa: BLE001 (the boundary: a plugin may raise anything)
        _write(outputs, Reply(error=f"{type(error).__name__}: {printable(error)}", machine=_is_of_machine(error)))
        return
    read = ImageStore(Path(setup.images)).read
    cramped = system.limit_memory(setup.memory)
    _write(outputs, Reply())
    while (task := read_frame(inputs, Task)) is not None:
        _write(outputs, _reply(verifiers[task.verifier], task, read, cramped))


def _is_of_machine(error: BaseException | None) -> bool:
    """True if an import failed for want of memory, processes or files, and not because of what is imported."""
    while error is not None:
        no_memory = "annot allocate memory" in str(error) or "failed to map segment" in str(error)
        if (
            no_memory
            or isinstance(error, MemoryError)
            or (isinstance(error, OSError) and error.errno in system.OF_MACHINE)
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _silence() -> None:
    """Keep the pipes free of what a verifier prints, and the tasks safe from what it reads."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)


def _write(descriptor: int, reply: Reply) -> None:
    data = memoryview(frame(reply))
    while data:
        data = data[os.write(descriptor, data) :]


def _build(setup: Setup) -> dict[str, Built[Verifier]]:
    registry = Registry.discover([Path(file) for file in setup.files])
    verifiers = {}
    for identity, spec in setup.verifiers.items():
        verifiers[identity] = registry.build(Verifier, spec, format=setup.format)
        looks = ("PIL.Image",) if isinstance(verifiers[identity].component, LookingVerifier) else ()
        for module in (*looks, *getattr(verifiers[identity].component, "imports", ())):
            import_module(module)
    return verifiers


def _reply(built: Built[Verifier], task: Task, read: ImageReader, cramped: Callable[[], bool]) -> Reply:
    verifier = built.component
    looks = isinstance(verifier, LookingVerifier)
    method = "look" if looks else "verify_group" if task.mode == "group" else task.mode
    with system.cpu_limit(task.seconds):
        try:
            return Reply(verdicts=tuple(check_verdicts(_run(verifier, task, read), len(task.claims), verifier.range)))
        except MemoryError as error:
            return Reply(error=type(error).__name__, machine=cramped())
        except RecursionError as error:
            return Reply(error=type(error).__name__)
        except BaseException as error:  # noqa: BLE001 (the boundary: a verifier may raise anything)
            return Reply(verdicts=(failed(built, method, error),) * len(task.claims))


def _run(verifier: Verifier, task: Task, read: ImageReader) -> list[Verdict]:
    if isinstance(verifier, LookingVerifier):
        return [verifier.look(claim, read) for claim in task.claims]
    if task.mode == "group":
        return verifier.verify_group(task.claims)
    (claim,) = task.claims
    if task.mode == "check" and isinstance(verifier, AnswerVerifier) and claim.answer is not None:
        return [verifier.check(claim.answer, claim)]
    return [verifier.verify(claim)]


if __name__ == "__main__":
    sys.setrecursionlimit(3_000)
    main()
