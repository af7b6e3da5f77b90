"""A plugin that uses everything API 1 has goes on to work: it is checked, and a whole run is made of it."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import openvlt
from openvlt.cli import cli
from openvlt.registry import Registry
from openvlt.testing import Material
from openvlt.testing.plugins import examine_plugin, find_plugins

FOLDER = Path(__file__).parents[1] / "plugins" / "api-v1"
RECIPE = """
name: v1
base: {id: BASE, backend: v1}
captioner: {use: v1, model: {id: base, backend: v1}}
traces:
  data: {source: {use: v1, n: 20}, filters: [{use: v1-examples, least: 0.0}, {use: v1-asking-examples, model: {id: base, backend: v1}}]}
  teacher: {use: v1, model: {id: base, backend: v1}}
  select: [{use: v1-asking, model: {id: base, backend: v1}}, v1]
train:
  sft: {trainer: {use: v1-traces, rows: 2}}
  grpo: {trainer: v1-prompts, data: traces}
verifiers: {answer: v1-answer, rank: v1}
rewards: {answer: 1.0, rank: 0.5}
bench: [v1]
reject_above: 0.5
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin, as one that is installed."""
    site = tmp_path / "site"
    shutil.copytree(FOLDER / "openvlt_api_v1", site / "openvlt_api_v1")
    metadata = site / "openvlt_api_v1-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: openvlt-api-v1\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[openvlt]\napi_v1 = openvlt_api_v1\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.delitem(sys.modules, "openvlt_api_v1", raising=False)


def test_all_public_names_of_api_1_are_still_there() -> None:
    tree = ast.parse((FOLDER / "openvlt_api_v1" / "__init__.py").read_text(encoding="utf-8"))
    imported = [each for each in tree.body if isinstance(each, ast.ImportFrom) and each.module == "openvlt"]
    names = {alias.name for each in imported for alias in each.names}
    assert len(names) > 90 and names <= set(openvlt.__all__)


def test_every_component_keeps_what_api_1_promises(installed: None) -> None:
    registry = Registry.discover()
    (plugin,) = find_plugins(registry, "api_v1")
    assert (plugin.status, plugin.reason, len(plugin.components)) == ("ok", "", 17)
    verdicts = examine_plugin(registry, plugin, {}, Material())
    failed = [str(finding) for verdict in verdicts for finding in verdict.findings]
    assert failed == []
    assert {verdict.outcome for verdict in verdicts} == {"passed"}


@pytest.mark.slow
def test_a_run_is_made_of_it(tmp_path: Path, installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    base, events = tmp_path / "base", tmp_path / "events"
    base.mkdir()
    (base / "config.json").write_text("{}")
    recipe = tmp_path / "v1.yaml"
    recipe.write_text(RECIPE.replace("BASE", str(base)))
    monkeypatch.setenv("OPENVLT_API_V1", str(events))
    runner = CliRunner(env={"OPENVLT_HOME": str(tmp_path / "home")})
    done = runner.invoke(cli, ["train", str(recipe)])
    assert done.exception is None, (done.output, done.exception)
    heard: list[dict[str, Any]] = [json.loads(line) for line in events.read_text().splitlines()]
    assert heard[-1]["status"] == "done" and heard[-1]["scores"] == {"v1": 1.0}
    assert {"sft-1", "grpo-1"} <= {event.get("stage") for event in heard}
