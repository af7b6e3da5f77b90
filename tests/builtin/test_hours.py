"""About how long a training or an engine takes: cases computed by hand from the formula of docs/gpu.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from openvlt import Backend, Gpus, ModelShape, Trainer, Workload
from openvlt.pipeline.hours import Hours, estimated, in_all
from openvlt_plugins.hf.backend import HfBackend
from openvlt_plugins.trl.dpo import Dpo
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.sft import Sft
from openvlt_plugins.vllm.backend import VllmBackend

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
    ("trainer", "moved"),
    [  # of four GPUs and 1.1 billion parameters: weights twice and gradients once a micro-batch, of 4 bytes
        (Sft(batch=16, device_batch=4), 3000 / 16 * 3 * 4 * 1.1e9 / 4),
        (Sft(batch=16, device_batch=2), 3000 / 8 * 3 * 4 * 1.1e9 / 4),
        (Sft(batch=16, device_batch=4, precision="bf16"), 3000 / 16 * 3 * 2 * 1.1e9 / 4),
        (Sft(batch=16, device_batch=4, freeze=()), 3000 / 16 * 3 * 4 * 1.2e9 / 4),
        (Sft(batch=16, device_batch=4, lora_rank=16), 3000 / 16 * (3 * 4 * 16e6 + 2 * 2 * 1.1e9) / 4),  # and its base
        (Dpo(batch=16, device_batch=4), 3000 / 16 * 4 * 4 * 1.1e9 / 4),  # the reference reads too
        (Sft(batch=16, device_batch=4, parallel="zero3"), 0),
    ],
)
def test_what_is_offloaded_is_moved_for_each_micro_batch(trainer: Any, moved: float) -> None:
    four = replace(WORK, gpus=Gpus(4, 80 << 30))
    kept = replace(trainer, parallel="fsdp2" if trainer.parallel == "auto" else trainer.parallel).hours(
        SHAPE, four, 3000
    )
    found = replace(trainer, optimizer="adamw-offload").hours(SHAPE, four, 3000)
    assert kept and found and found - kept == pytest.approx(moved * getattr(trainer, "epochs", 1) / 31.5e9 / 3600)


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
    written = 640 * ((PASS / 2 + TOWER) / 5 / SECOND + PASS / 2 / (312e12 * share)) if share else 0
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


@pytest.mark.parametrize(
    ("backend", "gpus", "working", "share"),
    [
        (HfBackend(), 1, 1, 0.02),
        (HfBackend(), 8, 1, 0.02),  # each has some of the layers
        (HfBackend(batch=16), 1, 1, 0.005),
        (HfBackend(batch=256), 1, 1, 0.02),
        (VllmBackend(), 8, 1, 0.1),
        (VllmBackend(tensor_parallel=2, data_parallel=2), 8, 4, 0.1),
        (VllmBackend(tensor_parallel=4), 2, 2, 0.1),
    ],
)
def test_hours_of_an_engine(backend: Backend, gpus: int, working: int, share: float) -> None:
    work = replace(WORK, gpus=Gpus(gpus, 80 << 30))
    seconds = 3000 * (PASS / 2 + TOWER) / SECOND + 12000 * PASS / 2 / (312e12 * share)
    assert backend.hours(SHAPE, work, 3000, 4) == pytest.approx(seconds / working / 3600)


def test_an_engine_writes_as_fast_for_a_stage_as_for_rollouts() -> None:
    work = replace(WORK, reply=500)
    for vllm, backend in (("off", HfBackend()), ("colocate", VllmBackend())):
        options = {**ROLLOUT, "beta": 0.0, "max_tokens": 500, "vllm": vllm}
        trainer = Grpo(**options, **({} if vllm == "off" else {"importance_correction": "off"}))
        updates = 640 * (4 * PASS + TOWER) / SECOND / 3600
        rollouts = (trainer.hours(SHAPE, work, 1) or 0) - updates
        assert rollouts == pytest.approx(backend.hours(SHAPE, work, 128, 5))


def test_nothing_is_said_without_gpus() -> None:
    work = replace(WORK, gpus=Gpus(0, 0))
    assert Sft().hours(SHAPE, work, 1000) is None
    assert HfBackend().hours(SHAPE, work, 1000, 1) is VllmBackend().hours(SHAPE, work, 1000, 1) is None


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([Hours(1.25), Hours(0.5)], "Hours in all: at most 1.8."),
        ([Hours(0.01), None], "Hours in all: at most 0.1, without 1 stage not estimated."),
        ([None, None], "Hours in all: unknown, with 2 stages not estimated."),
        ([Hours(2.0, 1000), None], "Hours in all: unknown, with 1 stage whose rows are known only afterwards and 1 stage not estimated."),
        ([Hours(2.0, 1000), Hours(3.0)], "Hours in all: at most 3.0, without 1 stage whose rows are known only afterwards."),
    ],
)  # fmt: skip
def test_a_sum_says_what_is_missing_from_it(stages: list[Hours | None], said: str) -> None:
    assert in_all(stages) == said


@pytest.mark.parametrize(
    ("hours", "rows", "said"),
    [
        (lambda rows: rows / 500, 2000, "4.0"),
        (lambda rows: rows / 500, 2_000_000, "4,000.0"),
        (lambda rows: rows / 500, None, "2.0 per 1,000 rows"),
        (lambda rows: 3.0, None, "3.0"),  # a number of steps
        (lambda rows: 0.001, 5, "<0.1"),
        (lambda rows: None, None, "None"),
        (lambda rows: None, 7, "None"),
    ],
)
def test_hours_of_unknown_rows_are_those_of_a_thousand(
    hours: Callable[[int], float | None], rows: int | None, said: str
) -> None:
    assert str(estimated(hours, rows)) == said
