"""About how long a training takes: cases computed by hand from the formula of docs/gpu.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from openvlt import Gpus, ModelShape, Trainer, Workload
from openvlt_plugins.trl.dpo import Dpo
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.sft import Sft

# A billion parameters that multiply and 100 million of an untied embedding; a tower of 100 million.
SHAPE = ModelShape(
    tower=100_000_000, projector=0, text=1_100_000_000, embedding=100_000_000, head=100_000_000, layers=10, hidden=1000,
    intermediate=3000, vocabulary=100_000, kv_width=4000, adapter=1_000_000, tower_layers=10, tower_hidden=500,
    patch=196, merge=4,
)  # fmt: skip
WORK = Workload(prompt=500, image=250, reply=500, gpus=Gpus(1, 80 << 30))
PASS = 2e9 * 1000
"""FLOP of the language model in a pass forward: 1,000 tokens."""
TOWER = 2e8 * 1000
"""The same of the tower: 250 tokens of four patches each."""
SECOND = 312e12 * 0.4
ROLLOUT: dict[str, Any] = {"steps": 1, "prompts": 128, "generations": 5, "batch": 640}


@pytest.mark.parametrize(
    ("trainer", "rows", "flop"),
    [  # forward, back, forward again; the frozen tower once
        (Sft(epochs=2), 3000, 6000 * (4 * PASS + TOWER)),
        (Sft(gradient_checkpointing="off"), 3000, 3000 * (3 * PASS + TOWER)),  # six times parameters times tokens
        (Sft(lora_rank=16), 3000, 3000 * (3 * PASS + TOWER)),
        (Sft(freeze=()), 3000, 3000 * (4 * PASS + 4 * TOWER)),
        (Dpo(), 3000, 6000 * (5 * PASS + 2 * TOWER)),  # a pair is two sequences, and the reference reads both
    ],
)
def test_hours_of_updates(trainer: Trainer, rows: int, flop: float) -> None:
    assert trainer.hours(SHAPE, WORK, rows) == pytest.approx(flop / SECOND / 3600)


@pytest.mark.parametrize(
    ("options", "forward", "share"),
    [
        ({"vllm": "off"}, 1, 0.02),  # the reference
        ({"vllm": "off", "beta": 0.0}, 0, 0.02),
        ({"vllm": "colocate"}, 2, 0.1),  # and the policy, for the correction
        ({"vllm": "colocate", "importance_correction": "off", "beta": 0.0}, 0, 0.1),
        ({"vllm": "server", "vllm_url": "http://a:1"}, 2, None),  # elsewhere
    ],
)
def test_hours_of_rollouts_and_updates(options: dict[str, Any], forward: int, share: float | None) -> None:
    trainer = Grpo(**ROLLOUT, **options, max_tokens=500)
    updates = 640 * ((4 + forward) * PASS + (1 + forward) * TOWER) / SECOND
    written = 640 * (PASS / 2 / 5 / SECOND + PASS / 2 / (312e12 * share)) if share else 0
    assert trainer.hours(SHAPE, WORK, 1) == pytest.approx((updates + written) / 3600)
    two = replace(WORK, gpus=Gpus(2, 80 << 30))
    assert trainer.hours(SHAPE, two, 1) == pytest.approx((updates + written) / 7200)
    longer = replace(trainer, steps=None, epochs=5)
    assert longer.hours(SHAPE, WORK, 1280) == pytest.approx(50 * (updates + written) / 3600)


def test_a_server_writes_on_its_own_gpus() -> None:
    eight = replace(WORK, gpus=Gpus(8, 80 << 30))
    options = {**ROLLOUT, "vllm": "server", "devices": 4, "beta": 0.0, "importance_correction": "off"}
    slow, fast = (Grpo(**options, vllm_tensor_parallel=count).hours(SHAPE, eight, 1) for count in (1, 4))
    colocated = Grpo(**{**options, "vllm": "colocate"}).hours(SHAPE, eight, 1)
    assert slow and fast and slow > fast == colocated


def test_nothing_is_said_without_gpus() -> None:
    assert Sft().hours(SHAPE, replace(WORK, gpus=Gpus(0, 0)), 1000) is None
