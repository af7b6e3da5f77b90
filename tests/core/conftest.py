"""A home and a workspace of a test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import Bench, bench

from openvlt.store import open_home


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what is to go wrong with the made things: ``fake(down=0.3)``; see the plugin of tests/plugins/fake."""

    def say(**told: Any) -> None:
        monkeypatch.setenv("OPENVLT_FAKE", json.dumps({"log": str(tmp_path / "asked.jsonl"), **told}))

    say()
    return say


@pytest.fixture
def stages(
    tmp_path: Path, fake_plugin: Path, fake_model: Path, fake: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Bench:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    return bench(open_home(), [fake_plugin], fake_model, tmp_path / "asked.jsonl")
