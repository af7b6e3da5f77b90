"""Progress: a live line on a terminal; elsewhere one plain line per stage, and a few more if it takes long.

These few come in time even where nothing advances, as while a model is loaded.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from openvlt import forks
from openvlt.records import StageRecord
from openvlt.stages.progress import Progress
from openvlt.terminal import escape, raw

if TYPE_CHECKING:
    from rich.progress import TaskID

PLAIN_AFTER = 30.0
"""Seconds until a running stage is reported in a plain line; doubled after each, so that a day is a dozen lines."""
_ZEROS = ("captioned", "correct", "unparsed", "undecided", "traces")
"""Counts that are shown even if they are 0."""
WINDOW = 60.0
"""Seconds over which a pace is measured: rows that a stage reused at its start do not predict the rest."""


def make_progress(stream: TextIO | None = None) -> Progress:
    """The progress that suits the stream: live on a terminal, plain lines when piped."""
    stream = stream or sys.stderr
    return Live(stream) if stream.isatty() else Plain(stream)


class Plain:
    """One line when a stage ends, and a few while a long one runs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pace = _Pace("", None, "")
        self._begun = 0.0
        self._timer: threading.Timer | None = None
        self._lock = forks.renewed_at_fork(threading.RLock())

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        with self._lock:
            self._pace = _Pace(stage or self._pace.stage, total, unit)
            self._begun = time.monotonic() if stage else self._begun
            self._wait_for(PLAIN_AFTER)

    def advance(self, done: int, **counts: float) -> None:
        with self._lock:
            self._pace.advance(done, counts)
            if time.monotonic() >= self._next:
                self._tell()

    def end(self, record: StageRecord) -> None:
        with self._lock:
            self._stop()
            self._write(_summary(record))

    def note(self, text: str) -> None:
        with self._lock:
            self._write(text)

    def _tell(self) -> None:
        taken = _clock(time.monotonic() - self._begun)
        self._write(f"{self._pace.stage:<24} {self._pace.text()}, {taken} so far")
        self._wait_for(2 * self._wait)

    def _wait_for(self, seconds: float) -> None:
        self._stop()
        self._wait, self._next = seconds, time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._on_time)
        self._timer.daemon = True
        with suppress(RuntimeError):  # no thread can be started: rows that advance tell
            self._timer.start()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_time(self) -> None:
        with self._lock, suppress(OSError, ValueError):  # the reader may have gone, or the command ended with an error
            if threading.current_thread() is self._timer:  # nothing else has ended the wait just now
                self._tell()

    def _write(self, line: str) -> None:
        self._stream.write(line.rstrip() + "\n")
        self._stream.flush()


class Live:
    """A live line below those of the stages that have ended."""

    def __init__(self, terminal: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        self._console = Console(file=raw(terminal))
        self._pace = _Pace("", None, "")
        self._bar = Progress(
            SpinnerColumn(), TextColumn("{task.description:<24}", markup=False), BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}", markup=False), console=self._console, transient=True,
        )  # fmt: skip
        self._task: TaskID | None = None

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        self._pace = _Pace(stage or self._pace.stage, total, unit)
        if self._task is None:
            self._bar.start()
            atexit.register(self._bar.stop)  # an error may end the process and leave the cursor hidden
            self._task = self._bar.add_task(self._pace.stage, total=total, text="")
        else:
            self._bar.reset(self._task, total=total, description=self._pace.stage, text="")

    def advance(self, done: int, **counts: float) -> None:
        self._pace.advance(done, counts)
        if self._task is not None:
            self._bar.update(self._task, completed=self._pace.done, text=escape(self._pace.text()))

    def end(self, record: StageRecord) -> None:
        if self._task is not None:
            self._bar.stop()
            self._bar.remove_task(self._task)
            self._task = None
        self._console.print(escape(_summary(record)), markup=False, highlight=False)

    def note(self, text: str) -> None:
        self._console.print(escape(text), markup=False, highlight=False)


class _Pace:
    """Progress, speed and time left of one stage."""

    def __init__(self, stage: str, total: int | None, unit: str) -> None:
        self.stage = escape(stage)
        self.done = 0
        self._total = total
        self._unit = unit
        self._counts: dict[str, float] = {}
        self._marks = deque([(time.monotonic(), 0, 0.0)])  # time, units and tokens done by then

    def advance(self, done: int, counts: dict[str, float]) -> None:
        self.done += done
        self._counts.update(counts)
        now = time.monotonic()
        self._marks.append((now, self.done, self._counts.get("tokens", 0.0)))
        while len(self._marks) > 2 and self._marks[1][0] < now - WINDOW:
            self._marks.popleft()

    def text(self) -> str:
        since, units, tokens = self._marks[0]
        taken = max(time.monotonic() - since, 1e-6)
        rate = (self.done - units) / taken
        of = f"{self.done}/{self._total}" if self._total else f"{self.done}"
        parts = [f"{of} {self._unit}", f"{rate:.1f}/s"]
        parts += [f"{name.rsplit('/', 1)[-1]} {_number(value)}" for name, value in self._counts.items() if value]
        if "tokens" in self._counts:
            parts.append(f"{(self._counts['tokens'] - tokens) / taken:.0f} tokens/s")
        if self._total and rate > 0:
            parts.append(f"{_clock(max(0, self._total - self.done) / rate)} left")
        return ", ".join(parts)


def _summary(record: StageRecord) -> str:
    rejected = sum(record.rejected.values())
    parts = [f"{record.taken} in", f"{record.out} out"] if record.stage_kind != "train" else [f"{record.taken} in"]
    if rejected:
        parts.append(f"{rejected} rejected")
    if record.faults:
        parts.append(f"faults {sum(record.faults.values())}")
    counts = dict(record.counts)
    if (claims := counts.get("claims")) is not None:  # zeros too: that nothing was correct must not be missed
        correct = counts.pop("correct", 0)
        parts.append(f"correct {_number(correct)} of {_number(claims)} ({correct / max(claims, 1):.1%})")
    shown = ("captioned", "tokens", "correct", "unparsed", "undecided", "traces", "retried")
    parts += [
        f"{name} {_number(counts[name])}" for name in shown if counts.get(name) or (name in counts and name in _ZEROS)
    ]
    if (seconds := counts.get("seconds")) and not record.cached:
        parts.append(f"{record.taken / seconds:.1f}/s")
        parts += [f"{counts['tokens'] / seconds:.0f} tokens/s"] if "tokens" in counts else []
    parts.append("reused" if record.cached else _clock(record.seconds))
    return f"{record.name:<24} {', '.join(parts)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.3f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"
