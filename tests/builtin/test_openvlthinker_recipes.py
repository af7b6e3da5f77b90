"""The recipes of OpenVLThinker: they can be read and compiled, and say what the papers and the released files say."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from openvlt.pipeline import Stage, compile_recipe
from openvlt.pipeline.trace_stages import Caption, Distill, Select
from openvlt.pipeline.train_stage import Train
from openvlt.recipe import Data, Phase, Recipe, find_recipes, read_recipe
from openvlt.registry import Registry

NAMES = ("openvlthinker-v1.0", "openvlthinker-v1.2")


@pytest.fixture(scope="module", params=NAMES)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return read_recipe(request.param)


@pytest.fixture(scope="module")
def stages(recipe: Recipe) -> tuple[Stage, ...]:
    return compile_recipe(recipe, Registry.discover())


def data_of(phase: Phase) -> Data:
    assert isinstance(phase.data, Data)
    return phase.data


def test_teachers_are_text_models_first_and_the_policy_after(stages: tuple[Stage, ...]) -> None:
    teachers = [stage.teacher.entry.name for stage in stages if isinstance(stage, Distill)]
    assert teachers[0] in ("r1-distill", "qwq-32b")
    assert teachers[1:] == ["policy", "policy"]


def test_only_the_first_iteration_needs_captions_and_truncation(stages: tuple[Stage, ...]) -> None:
    assert [stage.name for stage in stages if isinstance(stage, Caption)] == ["caption-1"]
    filters = [[one.entry.name for one in stage.filters] for stage in stages if isinstance(stage, Select)]
    assert ["truncate-reflection" in names for names in filters] == [True, False, False]


def test_four_chains_a_question(stages: tuple[Stage, ...]) -> None:
    assert {stage.teacher.component.sampling.n for stage in stages if isinstance(stage, Distill)} == {4}


def test_sft_starts_from_the_base_and_grpo_from_the_phase_before(stages: tuple[Stage, ...]) -> None:
    for stage in stages:
        if isinstance(stage, Train):
            assert stage.start.id == ("base" if stage.name.startswith("sft") else "policy")
            assert stage.trained is None or stage.name != "sft-1"


def test_v1_0_amounts() -> None:
    recipe = read_recipe("openvlthinker-v1.0")
    first, second, third = recipe.iterations
    assert first.traces and second.traces
    assert len(first.traces.data.source["configs"]) == 6
    assert first.traces.data.limit is None and not first.traces.data.filters
    assert len(second.traces.data.source["configs"]) == 11
    assert [each.train["grpo"].trainer["steps"] for each in recipe.iterations] == [98, 90, 90]
    assert first.train["grpo"].data == second.train["grpo"].data
    quota = data_of(third.train["grpo"]).filters[0]
    assert sum(quota["quotas"].values()) + 2 * quota["count"] + 498 == 5000


def test_v1_2_amounts() -> None:
    recipe = read_recipe("openvlthinker-v1.2")
    for iteration in recipe.iterations:
        assert iteration.traces
        source = iteration.traces.data.source
        assert len(source["configs"]) * source["per_config"] == 7000
        assert list(iteration.train) == ["sft", "grpo-medium", "grpo-hard"]
        medium, hard = iteration.train["grpo-medium"], iteration.train["grpo-hard"]
        counts = [len(data.source["configs"]) * data.filters[0]["count"] for data in map(data_of, (medium, hard))]
        assert counts == [3000, 6000]
        assert hard.trainer == medium.trainer | {"steps": 30, "freeze": []}


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source(name: str) -> None:
    published = Path(find_recipes()[name]).read_text(encoding="utf-8").partition("\nscales:")[0]
    lines = published.splitlines()
    for before, line in pairwise(lines):
        key, _, value = line.partition("#")[0].partition(":")
        if key.strip() not in ("name", "summary", "use") and re.search(r"(?<![\w.-])\d", value):
            assert "#" in line or "#" in before, line
