"""The recipes of OpenVLThinker: they can be read and built, and say what the papers and the released files say."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from openvlt.loop.parts import Parts, build_parts
from openvlt.recipe import Recipe, find_recipes, read_recipe
from openvlt.registry import Registry

NAMES = ("openvlthinker-v1.0", "openvlthinker-v1.2")


@pytest.fixture(scope="module", params=NAMES)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return read_recipe(request.param)


@pytest.fixture(scope="module")
def parts(recipe: Recipe) -> Parts:
    return build_parts(recipe, Registry.discover())


def test_every_component_can_be_built(parts: Parts) -> None:
    assert len(parts.turns) == 3
    assert {name for turn in parts.turns for name in [turn.teacher.entry.name]} < {"r1-distill", "qwq-32b", "policy"}


def test_only_the_first_iteration_needs_captions_and_truncation(parts: Parts) -> None:
    assert [turn.teacher.component.uses_caption for turn in parts.turns] == [True, False, False]
    truncated = [any(one.entry.name == "truncate-reflection" for one in turn.filters) for turn in parts.turns]
    assert truncated == [True, False, False]


def test_four_chains_a_question(parts: Parts) -> None:
    assert {turn.teacher.component.sampling.n for turn in parts.turns} == {4}


def test_v1_0_amounts() -> None:
    recipe = read_recipe("openvlthinker-v1.0")
    first, second, third = recipe.iterations
    assert len(first.data.source["configs"]) == 6
    assert first.data.limit is None and not first.data.filters
    assert len(second.data.source["configs"]) == 11
    assert [turn.grpo[0].trainer["steps"] for turn in recipe.iterations] == [98, 90, 90]
    assert first.grpo[0].data == second.grpo[0].data
    quota = third.grpo[0].data.filters[0]
    assert sum(quota["quotas"].values()) + 2 * quota["count"] + 498 == 5000


def test_v1_2_amounts() -> None:
    recipe = read_recipe("openvlthinker-v1.2")
    for turn in recipe.iterations:
        assert len(turn.data.source["configs"]) * turn.data.source["per_config"] == 7000
        medium, hard = (
            len(each.data.source["configs"]) * each.data.filters[0]["count"] for each in turn.grpo
        )  # fmt: skip
        assert (medium, hard) == (3000, 6000)
        assert turn.grpo[1].trainer == turn.grpo[0].trainer | {"steps": 30, "freeze": []}


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source(name: str) -> None:
    lines = Path(find_recipes()[name]).read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        key, _, value = line.partition("#")[0].partition(":")
        if key.strip() not in ("name", "summary", "use") and re.search(r"(?<![\w.-])\d", value):
            assert "#" in line or "#" in before, line
