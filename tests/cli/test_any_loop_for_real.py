"""The shapes of a loop with real trainings: TRL's trainers on the tiny base, a few updates each.

All have one home: where two shapes begin alike, they train once.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_any_loop import PAIRS, SHAPES, Loop

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of the engine ``fake`` and a home."""
    folder = tmp_path_factory.mktemp("loops")
    (folder / "skill.json").write_text('{"skill": 0.5}')
    return folder


@pytest.mark.parametrize("shape", SHAPES)
def test_a_loop_of_any_shape_trains_the_tiny_base(tmp_path: Path, shared: Path, fake_plugin: Path, shape: str) -> None:
    text, models = SHAPES[shape]
    few = "batch: 4, device_batch: 4, freeze: [vision]"
    words = {
        "SOURCE": "{use: made, n: 8}",
        "teacher: policy": "teacher: {use: echo, k: 2, model: policy}",
        "TEACHER": f"{{use: tutor, k: 4, model: {{id: {shared}, backend: fake}}}}",
        "select: [correct]": "select: []",
        "SFT": f"{{use: sft, {few}}}",
        "GRPO": f"{{use: grpo, steps: 2, prompts: 2, generations: 2, max_tokens: 8, beta: 0.0, {few}}}",
        "DPO": f"{{use: dpo, {few}}}",
        "PAIRS": "count-pairs",
    }
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    (tmp_path / "any.yaml").write_text(
        "name: any\nbase: {id: tiny-vl, dtype: float32}\nrewards: {answer: 1.0, format: 0.1}\n"
        "bench: {use: made, n: 4}\nbench_tokens: 8\n"
        f"captioner: {{use: qwen-vl, model: {{id: {shared}, backend: fake}}}}\n{text}\n"
    )
    loop = Loop(tmp_path, [fake_plugin, PAIRS], shared / "home")
    planned = loop.plan()
    table = loop.train("--name", tmp_path.name)
    run = json.loads((shared / "home/runs" / tmp_path.name / "run.json").read_text())
    assert planned == [stage["name"] for stage in run["stages"]]
    assert [score["stage"] for score in run["scores"]] == ["blind", "base", *models]
    assert all(model in table for model in models)
    assert not models or (Path(run["model"]) / "model.safetensors").is_file()
