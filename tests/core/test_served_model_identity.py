"""Where a model is served, and how its engine is told to work, change no cache key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openvlt import Model
from openvlt.registry import Registry
from openvlt.stages.workspace import Workspace
from openvlt.store import open_home

HERE, THERE = "http://here/v1", "http://there/v1"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path))
    return Workspace(open_home(), Registry.discover())


def teacher(workspace: Workspace, **model: Any) -> str:
    return workspace.registry.build("teacher", {"use": "chat", "model": {"id": "big", **model}}).identity


def test_a_teacher_stays_itself_on_other_servers(workspace: Workspace) -> None:
    assert teacher(workspace, url=[HERE]) == teacher(workspace, url=[HERE, THERE])
    slow = {"use": "openai", "concurrency": 2}
    assert teacher(workspace, url=[HERE], backend=slow) == teacher(workspace, url=[HERE], backend="openai")
    assert teacher(workspace, url=[HERE]) != teacher(workspace, url=[HERE], revision="older")


def test_a_backend_takes_options_in_a_recipe(workspace: Workspace) -> None:
    plain = workspace.resolve(Model(id="big", url=(HERE,)))
    slow = workspace.resolve(Model(id="big", url=(THERE,), backend={"use": "openai", "concurrency": 2}))
    assert slow.backend.component.concurrency == 2  # type: ignore[attr-defined]
    assert plain.identity == slow.identity
    small = workspace.resolve(Model(id="big", backend={"use": "hf", "batch": 8}))
    assert small.identity != workspace.resolve(Model(id="big", backend="hf")).identity, "batch can move the last bits"
