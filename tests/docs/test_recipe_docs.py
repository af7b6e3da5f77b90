"""The page on recipes documents every key and no other, and the recipe in the README is valid."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from openvlt import Format, Model
from openvlt.pipeline import compile_recipe
from openvlt.recipe import Data, ExecutorSpec, Iteration, Phase, Recipe, Traces, read_recipe
from openvlt.registry import Registry

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("a recipe", list(Recipe.model_fields)),
        ("an iteration", list(Iteration.model_fields)),
        ("data", list(Data.model_fields)),
        ("traces", list(Traces.model_fields)),
        ("a phase", list(Phase.model_fields)),
        ("a model", [field.name for field in fields(Model)]),
        ("an executor", list(ExecutorSpec.model_fields)),
        ("format", [field.name for field in fields(Format)]),
    ],
)
def test_every_key_is_documented_and_every_documented_key_exists(section: str, keys: list[str]) -> None:
    text = PAGE.partition(f"## Keys of {section}\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(keys)


def test_the_recipe_in_the_readme_compiles(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "small.yaml").write_text(text, encoding="utf-8")
    recipe = read_recipe(str(tmp_path / "small.yaml"), settings=["train.sft.epochs=4"])
    names = [stage.name for stage in compile_recipe(recipe, Registry.discover(), {})]
    assert [name for name in names if name.startswith(("sft", "grpo"))] == ["sft-1", "grpo-1", "sft-2", "grpo-2"]
