"""What is shown while a stage goes on, and when it has ended."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from io import StringIO

import pytest

from openvlt.records import StageRecord
from openvlt.report.live import Plain, make_progress


class Clock:
    """Time as a test wants it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr("openvlt.report.live.time", clock)
    yield clock


def told(clock: Clock, steps: int, rows: int, seconds: float, total: int | None = None) -> list[str]:
    stream = StringIO()
    progress = make_progress(stream)
    assert isinstance(progress, Plain)
    progress.begin("distill-1", total, "rows")
    for step in range(1, steps + 1):
        clock.now += seconds
        counts = {"tokens": 100.0 * step, "rejected": 0.0, "in flight": 64.0, "retried": 3.0}
        progress.advance(rows, **counts)
    return stream.getvalue().splitlines()


def test_a_line_tells_paces_what_is_in_flight_and_the_time_left(clock: Clock) -> None:
    (line,) = told(clock, steps=31, rows=2, seconds=1.0, total=200)
    assert line.split(None, 1)[0] == "distill-1"
    for part in (
        "60/200 rows",
        "2.0/s",
        "tokens 3,000",
        "in flight 64",
        "retried 3",
        "100 tokens/s",
        "1 min 10 s left",
    ):
        assert part in line
    assert "rejected" not in line, "nothing was"


def test_a_short_stage_is_one_line_and_a_day_is_a_dozen(clock: Clock) -> None:
    assert told(clock, steps=29, rows=1, seconds=1.0) == []
    assert len(told(clock, steps=24 * 60, rows=1, seconds=60.0)) <= 12
    record = StageRecord(
        stage_kind="distill", name="distill-1", iteration=1, fingerprint="", folder="", seconds=11.0, taken=100, out=96,
        rejected={"cut": 4}, counts={"tokens": 5000, "retried": 2, "seconds": 10.0},
    )  # fmt: skip
    stream = StringIO()
    make_progress(stream).end(record)
    said = "100 in, 96 out, 4 rejected, tokens 5,000, retried 2, 10.0/s, 500 tokens/s, 11 s"
    assert stream.getvalue().split(None, 1)[1] == f"{said}\n"


def test_a_stage_that_does_not_advance_says_so_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a model is loaded, for example; and nothing more once it has ended."""
    monkeypatch.setattr("openvlt.report.live.PLAIN_AFTER", 0.01)
    stream, before = StringIO(), set(threading.enumerate())
    progress = make_progress(stream)
    progress.begin("distill-1", 64, "rows")
    end = time.monotonic() + 600
    while stream.getvalue().count("\n") < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert re.fullmatch(r"distill-1 +0/64 rows, 0\.0/s, \d+\.\d s so far", stream.getvalue().splitlines()[2])
    progress.end(StageRecord(stage_kind="distill", name="distill-1", iteration=1, fingerprint=""))
    said = stream.getvalue()
    for timer in set(threading.enumerate()) - before:
        timer.join()
    assert stream.getvalue() == said and said.splitlines()[-1].startswith("distill-1                0 in, 0 out")


def test_what_was_reused_does_not_count_as_pace(clock: Clock) -> None:
    stream = StringIO()
    progress = make_progress(stream)
    progress.begin("caption-1", 10_000, "rows")
    clock.now += 1
    progress.advance(9_000)
    for _ in range(200):
        clock.now += 1
        progress.advance(1)
    last = stream.getvalue().splitlines()[-1]
    assert "1.0/s" in last and "min" in last


def test_no_name_of_a_stage_controls_the_terminal() -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    progress = make_progress(terminal)
    progress.begin("load-\x1b]0;title\x07", 2, "rows")
    progress.advance(2)
    progress.end(StageRecord(stage_kind="load", name="load-\x1b]0;title\x07", iteration=1, fingerprint=""))
    assert "\x1b]" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({"claims": 120, "correct": 0, "unparsed": 120}, "correct 0 of 120 (0.0%), unparsed 120, 2.0 s"),
        ({"claims": 3, "correct": 2, "unparsed": 0}, "correct 2 of 3 (66.7%), unparsed 0, 2.0 s"),
        ({"claims": 0, "correct": 0}, "correct 0 of 0 (0.0%), 2.0 s"),
        ({"correct": 5, "unparsed": 0, "undecided": 0, "retried": 0}, "correct 5, unparsed 0, undecided 0, 2.0 s"),
    ],
)
def test_what_is_zero_is_told(counts: dict[str, float], line: str) -> None:
    stream = StringIO()
    record = StageRecord(
        stage_kind="verify", name="verify-1", iteration=1, fingerprint="f", folder="stages/f", cached=False,
        seconds=2.0, taken=60, out=60, rejected={}, counts=counts,
    )  # fmt: skip
    make_progress(stream).end(record)
    assert stream.getvalue() == f"{'verify-1':<24} 60 in, 60 out, {line}\n"


def test_a_stage_goes_on_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", full)
    monkeypatch.setattr("openvlt.report.live.PLAIN_AFTER", 0.0)
    stream = StringIO()
    progress = Plain(stream)
    progress.begin("load-1", 2, "rows")
    progress.advance(1)
    assert "1/2 rows" in stream.getvalue()
