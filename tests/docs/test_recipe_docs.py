"""The page on recipes documents every key there is, and no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from openvlt import Format, Model
from openvlt.recipe import Data, ExecutorSpec, Iteration, Phase, Recipe, Traces

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")


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
