"""What holds for every built-in component, whatever its kind: it passes the checks of the kit for authors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from openvlt.registry import Entry, Registry, resolve
from openvlt.testing import Material
from openvlt.testing.plugins import examine_plugin

REGISTRY = Registry.discover()
BUILTIN = [plugin for plugin in REGISTRY.plugins if plugin.origin == "builtin"]
COMPONENTS = [
    pytest.param(
        plugin,
        entry,
        id=f"{entry.kind}-{entry.name}",
        marks=[pytest.mark.slow] * (entry.kind == "benchmark" or entry.name in ("easy-vqa", "rapid-ocr", "r1v-compat")),
    )
    for plugin in BUILTIN
    for entry in plugin.components
    if entry.kind not in ("backend", "trainer")  # which run models: tests/contract and test_training.py
]
SETTINGS: dict[str, dict[str, Any]] = {
    "rows": {"path": "{split}.jsonl", "question": "question", "answer": "answer"},
    "sample": {"count": 3},
    "qa": {"source": {"use": "easy-vqa"}, "split": "test", "scorings": {"exact": "answer"}, "breakdown": ["category"]},
    "table": {"columns": {"question": "question", "answer": "answer"}, "path": "rows.jsonl"},
}
ROWS = '{"id": "1", "question": "What is 3 + 4?", "answer": "7"}\n{"id": "2", "question": "And 4?", "answer": "8"}\n'
DATA = "cannot be loaded from the hub or the local cache"


def test_every_builtin_plugin_is_ok() -> None:
    assert {plugin.name: plugin.reason for plugin in BUILTIN if plugin.status != "ok"} == {}
    assert all(plugin.components for plugin in BUILTIN)


@pytest.mark.parametrize(("plugin", "entry"), COMPONENTS)
def test_it_keeps_what_it_promises(plugin: Any, entry: Entry, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = resolve(entry.target).splits if entry.name == "rows" else ()
    for name in ("rows", *splits):
        (tmp_path / f"{name}.jsonl").write_text(ROWS)
    monkeypatch.chdir(tmp_path)
    (found,) = examine_plugin(REGISTRY, replace(plugin, components=(entry,)), SETTINGS, Material(rows=20))
    assert [str(finding) for finding in found.findings] == []
    if found.outcome == "skipped" and (
        entry.status == "missing-extra" or DATA in found.reason or "no config" in found.reason
    ):
        pytest.skip(found.reason)
    assert found.outcome == "passed", found.reason


@pytest.mark.parametrize("kind", ["backend", "trainer"])
def test_what_runs_models_explains_itself(kind: Any) -> None:
    for entry in REGISTRY.entries(kind):
        description = REGISTRY.describe(entry.kind, entry.name)
        assert description.text, "its class has a docstring"
        assert [option.name for option in description.options if not option.text] == []
