"""Plugins are notified of events, and cannot fail the run."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from openvlt.records import Run, StageRecord
from openvlt.registry import Registry

RUN = Run(name="r", recipe="quickstart", status="done")
STAGE = StageRecord(stage_kind="sft", name="sft-1", iteration=1, fingerprint="f")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A plugin that fails, between two that record their events."""
    monkeypatch.setenv("OPENVLT_PLUGINS", "")
    notes = tmp_path / "notes"
    head = "from openvlt import hookimpl\n@hookimpl\n"
    writing = "    with open({!r}, 'a') as file:\n        file.write({!r} + stage.name + ' ')\n"
    listening = head + "def on_stage_end(stage):\n" + writing
    failing = head + "def on_stage_end(run, stage):\n    raise ValueError('no network')\n"
    texts = {"a": listening.format(str(notes), "a:"), "b": failing, "c": listening.format(str(notes), "c:")}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    return Registry.discover([tmp_path / f"{name}.py" for name in texts])


def test_every_plugin_is_notified_and_a_failure_is_logged(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert [plugin.status for plugin in registry.plugins[-3:]] == ["ok"] * 3
    with caplog.at_level(logging.WARNING):
        registry.notify("on_stage_end", run=RUN, stage=STAGE)
    assert (tmp_path / "notes").read_text() == "a:sft-1 c:sft-1 "
    (record,) = caplog.records
    told = "plugin 'file:b/b' failed in on_stage_end, the run continues: ValueError: no network (b.py:4)"
    assert record.getMessage() == told


def test_debugging_shows_the_traceback(registry: Registry, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        registry.notify("on_stage_end", run=RUN, stage=STAGE)
    assert "raise ValueError('no network')" in caplog.text


def test_an_event_nobody_listens_to(registry: Registry, caplog: pytest.LogCaptureFixture) -> None:
    registry.notify("on_run_end", run=RUN)
    assert not caplog.records
