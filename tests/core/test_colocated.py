"""GRPO whose rollouts vLLM writes, colocated or as a server: what it says of its tokens is what the trainer says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made import Bench
from test_training import GRPO, changed, metrics

import openvlt_tasks
from openvlt.registry import Registry

pytestmark = [pytest.mark.xdist_group("engines"), pytest.mark.slow]

COLOCATED = Path(__file__).parents[1] / "plugins" / "colocated" / "openvlt_colocated.py"
MODEL = Path(openvlt_tasks.__file__).parent / "models" / "tiny_vl"
SERVER = {"vllm": "server", "vllm_sleep": None}
DIFFERENCE = "sampling/sampling_logp_difference/mean"


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, 0.001), ({"lora_rank": 4}, 0.001), ({"precision": "bf16"}, 0.02), (SERVER, 0.01),
        ({"freeze": [], "prompts": 8, "learning_rate": 0.01}, 0.001),  # the same images with another tower
    ],
)  # fmt: skip
def test_vllm_and_the_trainer_find_a_response_equally_likely(
    stages: Bench, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], most: float
) -> None:
    """Mean differences of log-probabilities, images included; the bounds are those of docs/gpu.md."""
    pytest.importorskip("vllm", reason="needs the group engines")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    stages.workspace.registry = Registry.discover([*stages.workspace.registry.files, COLOCATED])
    rows = stages.load(n=8)
    options = {**GRPO, "vllm": "colocate", "vllm_sleep": False, "learning_rate": 1e-4, "max_tokens": 24, **options}
    made, folder = stages.train(rows, "grpo", MODEL, {"luck": 1.0}, **{**options, "steps": 3, "devices": 1})
    differences = [row[DIFFERENCE] for row in metrics(made) if DIFFERENCE in row]
    assert len(differences) == 3 and 0 < max(differences) <= most, differences
    assert "language" in changed(MODEL, folder)
