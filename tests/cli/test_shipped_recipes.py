"""Every recipe that comes with openvlt, on small data: what it plans is what it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from test_any_loop import Loop

from openvlt.pipeline import compile_recipe
from openvlt.recipe import find_recipes, read_recipe
from openvlt.registry import Registry

MADE = {"use": "made", "n": 20}


def made_small(value: Any, model: Path) -> Any:
    """The recipe with made sums for data, the engine of the tests for models, and trainers that copy; its shape stays."""
    if isinstance(value, list):
        return [made_small(item, model) for item in value]
    if not isinstance(value, dict):
        return value
    small = {key: made_small(item, model) for key, item in value.items()}
    if isinstance(teacher := small.get("teacher"), dict) and teacher["use"] != "policy":
        small["teacher"] = {"use": "tutor", "model": {"id": str(model), "backend": "fake"}}
    if "source" in small:
        small |= {"source": MADE} | ({"limit": 20} if "limit" in small else {})
    if isinstance(trainer := small.get("trainer"), dict) and "use" in trainer:
        small["trainer"] = {"use": f"copy-{trainer['use']}", "steps": 1}
    elif "trainer" in small:
        small["trainer"] = {"steps": 1}
    return small


@pytest.mark.parametrize("name", find_recipes())
def test_a_shipped_recipe_runs_the_stages_it_plans(
    tmp_path: Path, fake_plugin: Path, fake_model: Path, name: str
) -> None:
    shipped_tree = yaml.safe_load(find_recipes()[name].read_text(encoding="utf-8"))
    shipped_tree.pop("scales", None)
    tree = made_small(shipped_tree, fake_model)
    tree |= {"name": "any", "base": {"id": str(fake_model), "backend": "fake"}, "bench": ["made"], "requires": {}}
    tree["captioner"] = {"use": "qwen-vl", "model": {"id": "base"}, "prompt": "Describe the image."}
    tree["rewards"] = {"answer": 1.0}
    (tmp_path / "any.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    loop = Loop(tmp_path, [fake_plugin])
    planned = loop.plan()
    loop.train()
    assert [stage["name"] for stage in loop.run()["stages"]] == planned

    recipe = read_recipe(name)
    shipped = [stage.name for stage in compile_recipe(recipe, Registry.discover())]
    benches = {bench["use"] for bench in recipe.bench}
    of_shipped = {_without(stage, benches) for stage in shipped}
    of_small = {_without(stage, {"made"}) for stage in planned}
    assert of_shipped - BLIND == of_small - BLIND


BLIND = {"bench-*-blind", "score-*-blind"}
"""Stages that only benchmarks with a guesser have."""


def _without(stage: str, benches: set[str]) -> str:
    """The name of a stage whichever benchmark it is about."""
    for bench in sorted(benches, key=len, reverse=True):
        for kind in ("load", "bench", "score"):
            if stage == f"{kind}-{bench}" or stage.startswith(f"{kind}-{bench}-"):
                return stage.replace(f"{kind}-{bench}", f"{kind}-*", 1)
    return stage
