"""The memory that trainers and backends plan: published and computed figures, what changes it, and what fits."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st

from openvlt import Gpus, Model, ModelShape, Trainer, UsageError, Workload
from openvlt.engines import model_shape
from openvlt.pipeline.memory_plan import need, setting
from openvlt_plugins.hf.backend import HfBackend
from openvlt_plugins.trl.dpo import Dpo
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.sft import Sft
from openvlt_plugins.vllm.backend import VllmBackend


def shape_of(size: str) -> ModelShape:
    shape = model_shape(Model(id=f"Qwen/Qwen2.5-VL-{size}-Instruct"))
    assert shape
    return shape


def work(count: int, gigabytes: int = 80, reply: int = 2048) -> Workload:
    return Workload(prompt=590, image=334, reply=reply, gpus=Gpus(count, gigabytes << 30))


def total(trainer: Trainer, size: str, count: int, gigabytes: int = 80) -> float:
    return sum((trainer.memory(shape_of(size), work(count, gigabytes)) or {}).values()) / 1e9


SERVED: dict[str, Any] = {"vllm": "server", "vllm_url": "http://10.0.0.2:8000"}


@pytest.mark.parametrize(
    ("trainer", "size", "count", "gigabytes"),
    [  # computed for these settings before this model was written
        (Sft(parallel="ddp"), "7B", 1, 153),
        (Sft(parallel="ddp", devices=2), "7B", 2, 185),
        (Grpo(parallel="ddp", **SERVED), "7B", 1, 188),
        (Grpo(parallel="ddp", devices=2, **SERVED), "7B", 2, 220),
        (Sft(lora_rank=16), "7B", 1, 23),
        (Sft(lora_rank=16), "3B", 1, 12),
        (Sft(parallel="fsdp2", devices=2), "7B", 2, 76),
        (Sft(parallel="fsdp2", devices=4), "7B", 4, 44),
        (Sft(parallel="fsdp2", devices=8), "7B", 8, 28),
    ],
)
def test_what_was_computed_otherwise(trainer: Trainer, size: str, count: int, gigabytes: float) -> None:
    assert total(trainer, size, count) == pytest.approx(gigabytes, rel=0.1)


# vLLM on two GPUs with a share that 40 GB leave beside an update
COLOCATED: dict[str, Any] = {"vllm": "colocate", "vllm_tensor_parallel": 2, "vllm_memory": 0.45, "devices": "auto"}


def test_easyr1_publishes_the_cards_that_grpo_of_7b_needs() -> None:
    """8 x 40 GB in mixed precision, 4 x 40 GB in bf16 (EasyR1, README: hardware requirements), with offloading."""
    mixed = Grpo(parallel="fsdp2", **COLOCATED)
    assert total(mixed, "7B", 8, 40) <= 42.95 < total(mixed, "7B", 4, 40)
    assert total(replace(mixed, precision="bf16", optimizer="adamw-offload"), "7B", 4, 40) <= 42.95


@pytest.mark.parametrize("size", ["3B", "7B"])
def test_what_must_hold_of_the_terms(size: str) -> None:
    base = Sft(devices=4, parallel="ddp")
    plain = base.memory(shape_of(size), work(4))
    assert plain
    for changes, lower in [
        ({"parallel": "fsdp2"}, {"weights", "gradients", "optimizer"}),
        ({"parallel": "zero3"}, {"weights", "gradients", "optimizer"}),
        ({"parallel": "zero2"}, {"weights", "gradients", "optimizer"}),
        ({"precision": "bf16"}, {"weights", "gradients", "optimizer", "copies"}),
        ({"optimizer": "adamw-8bit"}, {"optimizer"}),
        ({"parallel": "fsdp2", "optimizer": "adamw-offload"}, {"weights", "gradients", "optimizer"}),
        ({"parallel": "zero2", "optimizer": "adamw-offload"}, {"weights", "gradients", "optimizer"}),
        ({"device_batch": 1}, {"activations", "logits"}),
        ({"lora_rank": 16}, {"weights", "gradients", "optimizer", "copies", "activations", "logits"}),
    ]:
        changed = replace(base, **changes).memory(shape_of(size), work(4))  # type: ignore[arg-type]
        assert changed
        assert lower <= {name for name in plain if changed[name] < plain[name]}, changes
        assert sum(changed.values()) < sum(plain.values()), changes
    unfrozen = replace(base, freeze=()).memory(shape_of(size), work(4))
    unchecked = replace(base, gradient_checkpointing="off").memory(shape_of(size), work(4))
    assert unfrozen and unchecked
    assert unfrozen["optimizer"] > plain["optimizer"]
    assert unchecked["activations"] > 5 * plain["activations"]


def test_fsdp2_and_zero3_divide_sixteen_bytes_a_parameter() -> None:
    shape = shape_of("7B")
    for parallel in ("fsdp2", "zero3"):
        terms = Sft(parallel=parallel, devices=8).memory(shape, work(8))  # type: ignore[arg-type]
        assert terms
        divided = sum(terms[name] for name in ("weights", "gradients", "optimizer"))
        assert divided == pytest.approx(16 * shape.text / 8 + 2 * (shape.tower + shape.projector))


def test_auto_divides_the_model_only_where_it_must() -> None:
    auto, fsdp2 = (Sft(lora_rank=0, devices=4, parallel=name) for name in ("auto", "fsdp2"))  # type: ignore[arg-type]
    assert total(auto, "7B", 4) == total(fsdp2, "7B", 4)
    assert total(replace(auto, lora_rank=16), "7B", 4) == total(Sft(lora_rank=16, devices=4, parallel="ddp"), "7B", 4)


def test_a_reference_model_and_rollouts_are_counted() -> None:
    shape = shape_of("3B")
    server = Grpo(**SERVED).memory(shape, work(1))
    without_kl = Grpo(beta=0.0, **SERVED).memory(shape, work(1))
    own = Grpo().memory(shape, work(1))
    awake = Grpo(vllm="colocate", vllm_memory=0.4, vllm_sleep=False).memory(shape, work(1))
    asleep = Grpo(vllm="colocate", vllm_memory=0.4).memory(shape, work(1))
    pairs = Dpo().memory(shape, work(1))
    assert server and without_kl and own and awake and asleep and pairs
    assert server["reference"] == pairs["reference"] == 2 * shape.parameters
    assert without_kl["reference"] == 0
    images = server["rollouts"]
    assert own["rollouts"] > 2560 * 2048 * shape.kv_width * 2 - 80e9
    assert awake["rollouts"] == pytest.approx(images + 0.4 * (80 << 30))
    assert asleep["rollouts"] < awake["rollouts"]


@pytest.mark.parametrize(
    ("options", "divided", "whole"),
    [
        ({"parallel": "ddp"}, False, False),
        ({"parallel": "ddp", "freeze": ()}, False, False),
        ({"parallel": "ddp", "freeze": (), "precision": "bf16"}, False, False),
        ({"parallel": "zero2", "freeze": ()}, False, False),
        ({"parallel": "zero3", "freeze": ()}, True, False),
        ({"parallel": "fsdp2"}, True, True),
        ({"parallel": "fsdp2", "freeze": ()}, True, False),
    ],
)
def test_a_reference_is_bf16_and_divided_as_the_policy_is(options: dict[str, Any], divided: bool, whole: bool) -> None:
    shape = shape_of("7B")
    terms = Dpo(devices=4, **options).memory(shape, work(4))
    undivided = (shape.tower + shape.projector) * whole
    expected = 2 * ((shape.parameters - undivided) / (4 if divided else 1) + undivided)
    assert terms and terms["reference"] == pytest.approx(expected)


def test_auto_divides_the_model_where_rollouts_do_not_fit_beside_it() -> None:
    auto = Grpo(**{**COLOCATED, "devices": 2})
    assert total(replace(auto, parallel="ddp"), "3B", 2) > 85.9 > total(auto, "3B", 2)


CHANGES = [
    dict(zip(("parallel", "precision", "lora_rank", "device_batch"), each, strict=True))
    for each in product(("auto", "ddp", "fsdp2"), ("mixed", "bf16"), (0, 16), (1, 2))
]


@pytest.mark.parametrize("size", ["3B", "7B"])
@given(st.integers(1, 8), st.sampled_from([16, 24, 40, 48, 80]), st.sampled_from(CHANGES))
@settings(max_examples=40, deadline=None)
def test_the_change_that_is_named_fits_and_none_is_named_only_where_none_fits(
    size: str, count: int, gigabytes: int, options: dict[str, Any]
) -> None:
    assume(count > 1 or options["parallel"] != "fsdp2")  # one GPU shares nothing
    trainer = Sft(batch=840 * 2, devices="auto", **options)
    found = need(trainer, shape_of(size), work(count, gigabytes))
    assert found
    if found.fits:
        return
    offloaded = replace(trainer, device_batch=1, parallel="fsdp2", optimizer="adamw-offload", precision="bf16")
    paged = replace(trainer, device_batch=1, parallel="ddp", optimizer="paged-adamw-8bit", precision="bf16")
    change = found.smallest_change()
    if change is None:
        least = [replace(each, lora_rank=16) for each in (offloaded, paged)]
    else:
        changed = need(replace(trainer, **change), shape_of(size), work(count, gigabytes))
        assert changed and changed.fits
        least = [offloaded, paged] if "lora_rank" in change else []
    if not options["lora_rank"] or change is None:  # nothing less intrusive would do
        assert all(total(each, size, count, gigabytes) * 1e9 > gigabytes << 30 for each in least)
    problem = found.problem(
        "The training", lambda change: {f"train.sft.{name}": value for name, value in change.items()}
    )
    assert isinstance(problem, UsageError)
    assert all(setting(f"train.sft.{name}", value) in problem.remedy for name, value in (change or {}).items())


@pytest.mark.parametrize(("size", "gigabytes"), [("3B", 24), ("7B", 40), ("7B", 48)])
def test_a_share_that_cannot_hold_the_model_is_refused_with_one_that_can(size: str, gigabytes: int) -> None:
    """vLLM takes no more than its share, and does not start where the model leaves no room for a response."""
    trainer = Grpo(vllm="colocate", lora_rank=16, device_batch=1, prompts=16, generations=8, batch=64, devices=1)
    with pytest.raises(UsageError, match=r"its share is 0\.3 of .* GB\. Set vllm_memory to 0\.\d+") as told:
        trainer.memory(shape_of(size), work(1, gigabytes))
    share = float(re.findall(r"vllm_memory to (0\.\d+)", told.value.remedy)[0])
    found = need(replace(trainer, vllm_memory=share), shape_of(size), work(1, gigabytes))
    assert found and found.fits
    with pytest.raises(UsageError, match="its share is"):
        replace(trainer, vllm_memory=share - 0.02).memory(shape_of(size), work(1, gigabytes))


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"vllm": "colocate", "vllm_memory": 0.9}, {"vllm_memory": 0.45}),
        ({"vllm": "colocate", "vllm_memory": 0.5, "vllm_sleep": False}, {"vllm_sleep": True}),
        ({}, {"vllm_memory": 0.45, "vllm": "colocate"}),
    ],
)
def test_a_smaller_share_of_vllm_is_named_where_it_is_too_large(
    options: dict[str, Any], change: dict[str, Any]
) -> None:
    small = {"lora_rank": 16, "device_batch": 1, "prompts": 64, "generations": 8, "batch": 128, "max_tokens": 2048}
    found = need(Grpo(devices=1, **small, **options), shape_of("3B"), work(1, 24))  # type: ignore[arg-type]
    assert found and not found.fits and found.smallest_change() == change


def test_backends_hold_weights_cache_and_more() -> None:
    shape = shape_of("7B")
    one = VllmBackend().gpu_memory(shape, work(1, 24))
    assert one["weights"] == 2 * shape.parameters
    assert one["unused"] == pytest.approx(0.1 * (24 << 30))
    assert VllmBackend(tensor_parallel=2).gpu_memory(shape, work(2, 24))["weights"] == shape.parameters
    assert VllmBackend(extra={"quantization": "awq"}).gpu_memory(shape, work(1, 24))["weights"] < 5e9
    found = need(HfBackend(), shape, work(1, 24))
    assert found and not found.fits
    change = found.smallest_change()
    assert change and need(HfBackend(**change), shape, work(1, 24)).fits  # type: ignore[union-attr]


def test_four_bits_need_a_package_that_is_asked_for_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    from openvlt_plugins.vllm import backend

    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    VllmBackend(extra={"quantization": "awq"}).check({})
    with pytest.raises(UsageError, match=r"needs the package bitsandbytes.* Run: pip install bitsandbytes"):
        VllmBackend(extra={"quantization": "bitsandbytes"}).check({})


def test_transformers_write_no_rollouts_of_a_large_model_unasked() -> None:
    with pytest.raises(
        UsageError, match=r"8\.3 billion parameters, more than 4\. Set vllm: colocate, or slow_rollouts"
    ):
        Grpo().memory(shape_of("7B"), work(1))
    assert Grpo().memory(shape_of("3B"), work(1)) and Grpo(slow_rollouts=True).memory(shape_of("7B"), work(1))


def test_a_server_has_gpus_that_the_training_leaves_it() -> None:
    own = Grpo(vllm="server", devices=6, batch=48, prompts=48, vllm_tensor_parallel=2)
    assert (own.devices_used(), own.server_devices(), own.engine_share) == (6, 2, 0.9)
    assert own.memory(shape_of("3B"), work(8))
    with pytest.raises(
        UsageError, match=r"uses 8 GPUs of a machine, and there are 7 .* Let it or its server use fewer"
    ):
        need(own, shape_of("3B"), work(7))
    with pytest.raises(UsageError, match=r"needs 10\.\d GB of each of its GPUs, and its share is 0\.9 of 8\.6 GB"):
        replace(own, vllm_tensor_parallel=2).memory(shape_of("7B"), work(8, 8))
    assert Grpo(**SERVED).server_devices() == 0
