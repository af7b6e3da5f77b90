"""How fast a stage goes, and when it will end."""

from __future__ import annotations

import io
import time

import pytest

from openvlt.report.live import Plain


def test_rows_of_an_earlier_run_say_nothing_of_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    said = io.StringIO()
    progress = Plain(said)
    progress.begin("bench", 400, "rows")
    for wait, rows in ((0.01, 100), (0.01, 100), (50.0, 50), (50.0, 50)):
        clock[0] += wait
        progress.advance(rows)
    assert said.getvalue().splitlines()[-1].split(", ")[:3] == [
        "bench                    300/400 rows",
        "1.0/s",
        "1 min 40 s left",
    ]
