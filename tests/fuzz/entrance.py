"""Drives the real entrances in this process, and judges: a sentence or a result, soon, and nothing for a terminal to obey.

``OPENVLT_FUZZ`` is the number of inputs of each test; then faults are collected in the report that ``OPENVLT_FUZZ_REPORT``
names, and do not end a test. See tests/benchmarks/fuzz.py.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from openvlt import __main__ as main

INPUTS = int(os.environ.get("OPENVLT_FUZZ", "0"))
LIMIT = 2.5 if INPUTS else 10.0
"""Seconds of the processor that an input may take. The suite allows four times as many: with coverage traced beside other
tests, 3.1 s were seen of a plan that takes 1.1 s alone."""
REPORT = os.environ.get("OPENVLT_FUZZ_REPORT", "")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
Test = TypeVar("Test", bound=Callable[..., None])


@dataclass
class Seen:
    """What was seen of an entrance; `early` and `late` are bytes of memory after a tenth of the inputs and at the end."""

    inputs: int = 0
    slowest: float = 0.0
    early: int = 0
    late: int = 0
    faults: list[str] = field(default_factory=list)


SEEN: dict[str, Seen] = defaultdict(Seen)


def fuzzed(inputs: int, **strategies: Any) -> Callable[[Test], Test]:
    """A test of one entrance with odd inputs.

    Args:
        inputs: in the suite, where the same ones are made every time.
        strategies: of the test's arguments.
    """

    def decorate(test: Test) -> Test:
        phases = [Phase.generate] if INPUTS else [Phase.explicit, Phase.generate, Phase.shrink]
        chosen = settings(
            max_examples=INPUTS or inputs, deadline=None, derandomize=not INPUTS, database=None, phases=phases,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        return pytest.mark.fuzz(chosen(given(**strategies)(test)))  # type: ignore[no-any-return]

    return decorate


def command(name: str, *arguments: str | Path) -> tuple[int, str]:
    """Run a command and judge it; returns its exit code and all it printed.

    Args:
        name: of the entrance.
        arguments: of the command line.
    """
    out = io.StringIO()
    code = -1

    def call() -> None:
        nonlocal code
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = main.run([str(each) for each in arguments])

    fault = _judged(name, call)
    shown = out.getvalue()
    if not fault and ("Error: unexpected " in shown or "Traceback (most" in shown):
        fault = shown
    if not fault and (found := _CONTROL.search(shown)):
        fault = f"prints {found[0]!r}: {shown!r}"
    _report(name, fault, arguments)
    return code, shown


def attempt(name: str, call: Callable[[], Any]) -> None:
    """Make a call and judge it; an error that the command line turns into a sentence is none."""

    def checked() -> None:
        try:
            call()
        except Exception as error:
            if str(main._user_error(error)).startswith("unexpected "):
                raise

    _report(name, _judged(name, checked), ())


def _judged(name: str, call: Callable[[], None]) -> str:
    seen = SEEN[name]
    started, busy = time.perf_counter(), time.process_time()
    fault = ""
    try:
        call()
    except BaseException:
        fault = traceback.format_exc()
        if "KeyboardInterrupt" in fault or "hypothesis" in fault.splitlines()[-1]:
            raise
    seen.slowest = max(seen.slowest, time.perf_counter() - started)
    seen.inputs += 1
    if INPUTS and (seen.inputs == INPUTS // 10 or seen.inputs % 100 == 0):
        seen.early, seen.late = seen.early or _memory(), _memory()
    if not fault and (taken := time.process_time() - busy) > LIMIT:
        fault = f"took {taken:.1f} s"
    return fault


def _report(name: str, fault: str, arguments: tuple[Any, ...]) -> None:
    if not fault:
        return
    shown = f"{' '.join(map(repr, map(str, arguments)))}\n{fault}"
    if not INPUTS:
        raise AssertionError(shown)
    SEEN[name].faults.append(shown[-3000:])


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def write_report() -> None:
    """Append what was seen to the report."""
    if REPORT and SEEN:
        with Path(REPORT).open("a") as file:
            file.writelines(json.dumps({"entrance": name, **asdict(seen)}) + "\n" for name, seen in SEEN.items())
