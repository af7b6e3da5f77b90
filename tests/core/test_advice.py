"""Whatever a message tells a user to set, ``--set`` takes, and it changes what the message is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from openvlt.errors import UsageError
from openvlt.pipeline import compile_recipe
from openvlt.recipe import read_recipe
from openvlt.registry import Registry
from openvlt.stages.workspace import Workspace
from openvlt.store import open_home

LARGE = "us/large-9000B"
"""A model that fits no machine; each component has one of its own, by its last letter."""
RECIPE = """
name: advised
base: {{id: {model}, backend: fake}}
captioner: {{use: qwen-vl, model: {large}-a}}
rewards: {{answer: 1.0, judge: 1.0}}
verifiers: {{second: {{use: judge, model: {large}-b}}}}
facts: {{pass_rate: {{use: pass_rate, teacher: {{use: echo, model: {large}-c}}}}}}
traces:
  data: {{source: {{use: made}}, filters: [{{use: picky, model: {large}-d}}, pass-rate]}}
  teacher: {{use: tutor, model: {large}-e}}
  select: [correct, {{use: judge, model: {large}-f}}]
train:
  first: {{trainer: {{use: copy-sft}}, start: {large}-g}}
  second:
    trainer: {{use: imitate, teacher: {large}-h}}
    data: {{source: {{use: rows, path: rows.jsonl}}, filters: {{use: picky, model: {large}-i}}}}
"""


@pytest.fixture
def registry(fake_plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("openvlt.pipeline.model_checks.reachable", lambda: False)
    (tmp_path / "rows.jsonl").write_text('{"question": "What?", "answer": "1", "response": "It is 1."}\n' * 40)
    return Registry.discover([fake_plugin])


def refusals(registry: Registry, file: Path, settings: list[str]) -> Iterator[str]:
    """What the stages of a recipe say before any work."""
    recipe = read_recipe(str(file), settings=settings)
    workspace = Workspace(open_home(), registry, models={"base": recipe.base, "policy": recipe.base})
    for stage in compile_recipe(recipe, registry, {}):
        try:
            stage.check(workspace)
        except UsageError as error:
            yield str(error)


def test_every_key_that_is_advised_can_be_set(registry: Registry, fake_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "advised.yaml"
    file.write_text(RECIPE.format(model=fake_model, large=LARGE))
    settings = ["verifiers.judge.model=" + f"{LARGE}-j"]  # a verifier that the recipe only rewards
    replaced = set[str]()
    while found := [each for message in refusals(registry, file, settings) for each in advised(message)]:
        model, key = found[0]
        assert model not in replaced, f"{key} did not replace {model}"
        replaced.add(model)
        settings.append(f"{key}={{id: {fake_model}, backend: fake}}")
    assert replaced == {f"{LARGE}-{letter}" for letter in "abcdefghij"}


def advised(message: str) -> list[tuple[str, str]]:
    """The model that a message is about, and the key it names."""
    model, key = re.search(rf"{LARGE}-\w", message), re.search(r"--set ([\w.-]+)", message)
    return [(model[0], key[1])] if model and key else []
