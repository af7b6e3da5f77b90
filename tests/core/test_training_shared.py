"""Trainings that processes share: the results are those of one process, whatever they share and however they divide it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from made import Bench, Heard
from test_training import DPO, GRPO, KillsTheChild, chosen, metrics, recorded, weights

from openvlt.errors import OpenvltError
from openvlt.registry import Registry

pytestmark = [pytest.mark.xdist_group("training"), pytest.mark.slow]

SFT = {"batch": 4, "device_batch": 4, "learning_rate": 1e-4, "epochs": 2, "warmup": 0.0, "devices": 1}


def trained(
    stages: Bench, model: Path, use: str, options: Mapping[str, Any], rows: int = 8, **faults: Any
) -> tuple[list[float], dict[str, Any]]:
    """Losses and weights of a training."""
    data = stages.load(n=rows, **faults)
    if use != "grpo":
        data = stages.select(stages.verify(stages.distill(data, k=4 if use == "dpo" else 1)))
    rewards = {"luck": 1.0} if use == "grpo" else None
    made, folder = stages.train(data, use, model, rewards, **options)
    return [row["loss"] for row in metrics(made) if "loss" in row], weights(folder)


def same(found: Any, expected: Any, losses: float, numbers: float) -> None:
    assert len(found[0]) == len(expected[0])
    assert max(abs(one - other) for one, other in zip(found[0], expected[0], strict=True)) <= losses
    assert found[1].keys() == expected[1].keys()
    assert max(float((found[1][name] - other).abs().max()) for name, other in expected[1].items()) <= numbers


@pytest.mark.parametrize("lora_rank", [0, 4])
def test_sft_does_not_depend_on_how_a_batch_is_divided(stages: Bench, vision_model: Path, lora_rank: int) -> None:
    whole = trained(stages, vision_model, "sft", {**SFT, "lora_rank": lora_rank})
    divisions = [(2, 1), (1, 1), (1, 2)] if not lora_rank else [(1, 2)]
    for device_batch, devices in divisions:
        options = {**SFT, "lora_rank": lora_rank, "device_batch": device_batch, "devices": devices}
        same(trained(stages, vision_model, "sft", options), whole, 1e-5, 1e-5)


RESUMED: dict[str, dict[str, Any]] = {
    "sft": {**SFT, "device_batch": 2, "devices": 2, "save_steps": 1, "epochs": 4},
    "grpo": {**GRPO, "device_batch": 2, "devices": 2, "steps": 6, "beta": 0.01, "loss_type": "dapo"},
}


def killed_and_resumed(stages: Bench, model: Path, use: str, options: Mapping[str, Any]) -> None:
    """The weights are those of an undisturbed training, and load whole."""
    from transformers import AutoModelForImageTextToText

    rows = stages.load(n=8) if use == "grpo" else chosen(stages)
    rewards, options = ({"luck": 1.0} if use == "grpo" else None), {**RESUMED[use], **options}
    made, _ = stages.train(rows, use, model, rewards, **options)
    reference = made.folder.path.rename(made.folder.path.with_name("reference"))
    stages.workspace.progress = KillsTheChild(stages, 3)
    with pytest.raises(OpenvltError, match="killed by signal 9"):
        stages.train(rows, use, model, rewards, **options)
    stages.workspace.progress = Heard()
    _, folder = stages.train(rows, use, model, rewards, **options)
    assert '"checkpoint": "' in (made.folder.path / "job.json").read_text()
    assert (folder / "model.safetensors").read_bytes() == (reference / "model/model.safetensors").read_bytes()
    _, told = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True)
    assert not any(told.values())


def test_two_processes_on_a_cpu_resume(stages: Bench, vision_model: Path) -> None:
    killed_and_resumed(stages, vision_model, "sft", {})


SHARDED = Path(__file__).parents[1] / "plugins" / "sharded" / "openvlt_sharded.py"
SHARED_GRPO = {
    **GRPO, "steps": 20, "loss_type": "dapo", "learning_rate": 1e-4, "device_batch": 2, "beta": 0.01, "devices": 1,
    "save_every": 20, "freeze": None,
}  # fmt: skip


@pytest.fixture
def sharded(stages: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Where FSDP2 runs on CPUs, and GRPO's completions are given."""
    stages.workspace.registry = Registry.discover([*stages.workspace.registry.files, SHARDED])
    monkeypatch.setenv("OPENVLT_SHARDED", "fsdp2")
    monkeypatch.setenv("OPENVLT_COMPLETIONS", "1")
    return stages


def needs(parallel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if parallel.startswith("zero"):
        pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
        monkeypatch.delenv("OPENVLT_SHARDED")


@pytest.mark.parametrize("parallel", ["fsdp2", "zero2", "zero3"])
@pytest.mark.parametrize(
    ("use", "options"),
    [
        ("sft", {**SFT, "epochs": 10, "device_batch": 2}),
        ("sft", {**SFT, "epochs": 4, "device_batch": 2, "lora_rank": 4}),
        ("dpo", {**DPO, "learning_rate": 1e-4, "device_batch": 1, "devices": 1}),
        ("grpo", SHARED_GRPO),
        ("grpo", {**SHARED_GRPO, "freeze": [], "steps": 4}),  # under FSDP2 one process loads the weights
    ],
)
def test_processes_that_share_the_model_train_as_one(
    sharded: Bench,
    vision_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    parallel: str,
    use: str,
    options: dict[str, Any],
) -> None:
    needs(parallel, monkeypatch)
    alone = trained(sharded, vision_model, use, options)
    shared = trained(sharded, vision_model, use, {**options, "devices": 2, "parallel": parallel})
    same(shared, alone, 1e-4, 1e-5)
    if use == "grpo":
        assert len(alone[0]) == options["steps"] and any(alone[0])


@pytest.mark.parametrize("parallel", ["fsdp2", "zero2", "zero3"])
@pytest.mark.parametrize(
    ("use", "options"), [("sft", {}), ("sft", {"freeze": []}), ("sft", {"lora_rank": 4}), ("grpo", {"freeze": None})]
)
def test_a_shared_training_that_is_killed_resumes_to_the_same_weights(
    sharded: Bench,
    vision_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    parallel: str,
    use: str,
    options: dict[str, Any],
) -> None:
    needs(parallel, monkeypatch)
    killed_and_resumed(sharded, vision_model, use, {**options, "parallel": parallel})


@pytest.mark.parametrize(
    ("use", "parallel", "options"),
    [
        ("grpo", "ddp", {}),
        ("grpo", "fsdp2", {}),
        ("grpo", "zero2", {}),
        ("sft", "fsdp2", {}),
        ("sft", "zero2", {}),
        ("sft", "ddp", {"freeze": [], "gradient_checkpointing": "on"}),
    ],
)
def test_rows_without_a_picture_train_beside_rows_with_one_where_processes_share(
    sharded: Bench,
    vision_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    use: str,
    parallel: str,
    options: dict[str, Any],
) -> None:
    """A process without pictures waits for no other, nor they for it: for a tower, or for what TRL logs."""
    needs(parallel, monkeypatch)
    if parallel == "ddp":
        monkeypatch.delenv("OPENVLT_SHARDED")
    options = {**({**SHARED_GRPO, "steps": 4} if use == "grpo" else {**SFT, "device_batch": 1}), **options}
    options |= {"learning_rate": 1e-5}
    mixed = {"faults": {"no image": (1, 2, 5)}}
    alone = trained(sharded, vision_model, use, options, **mixed)
    shared = trained(sharded, vision_model, use, {**options, "devices": 2, "parallel": parallel}, **mixed)
    same(shared, alone, 1e-4, 1e-5)


SPOILS = Path(__file__).parents[1] / "plugins" / "spoils" / "openvlt_spoils.py"
SAVED = {
    "ddp": ["model.safetensors", "rng_state_1.pth", "optimizer.pt"],
    "fsdp2": ["pytorch_model_fsdp_0/__0_0.distcp", "optimizer_0/__1_0.distcp", "pytorch_model_fsdp_0/__1_0.distcp"],
    "zero2": ["model.safetensors", "*/*rank_1_*optim_states.pt", "*/*rank_0_*optim_states.pt"],
    "zero3": ["*/*rank_0_*model_states.pt", "*/*rank_1_*optim_states.pt", "*/*rank_1_*model_states.pt"],
}
"""Files of a checkpoint; two of them are cut off by the end of the process that writes it, one by a full disk."""


@pytest.mark.parametrize(("use", "parallel"), [("grpo", "ddp"), ("sft", "fsdp2"), ("sft", "zero2"), ("sft", "zero3")])
def test_what_ends_a_process_as_it_saves_costs_no_saved_step(
    sharded: Bench, vision_model: Path, monkeypatch: pytest.MonkeyPatch, use: str, parallel: str
) -> None:
    """Each of the two processes is killed, the disk is full, and at last the model is cut off; each time it goes on."""
    needs(parallel, monkeypatch)
    if parallel == "ddp":
        monkeypatch.delenv("OPENVLT_SHARDED")
    sharded.workspace.registry = Registry.discover([*sharded.workspace.registry.files, SPOILS])
    rows, rewards = (sharded.load(n=8), {"luck": 1.0}) if use == "grpo" else (chosen(sharded), None)
    options = {**RESUMED[use], "parallel": parallel}
    made, _ = sharded.train(rows, use, vision_model, rewards, **options)
    folder, reference = made.folder.path, made.folder.path.rename(made.folder.path.with_name("reference"))
    first, second, third = SAVED[parallel]
    died, full = r"killed by signal 9 \(out of memory\?\)\. .*last checkpoint", "cannot be written: .*Free some space"
    before = None
    for how, number, file, told in [
        ("kill", 2, first, died), ("kill", 3, second, died), ("full", 4, third, full), ("kill", None, "*", died),
    ]:  # fmt: skip
        name = f"checkpoint-{number}" if number else "model"
        monkeypatch.setenv("OPENVLT_SPOILS", f"{how} {name}/{file}")
        heard = sharded.workspace.progress = Heard()
        with pytest.raises(OpenvltError, match=told):
            sharded.train(rows, use, vision_model, rewards, **options)
        assert (folder / name).is_dir() and not (folder / name / "manifest.json").exists()
        assert heard.notes == skips(use, before)
        before = number
    monkeypatch.delenv("OPENVLT_SPOILS")
    _, folder = sharded.train(rows, use, vision_model, rewards, **options)
    assert (folder / "model.safetensors").read_bytes() == (reference / "model/model.safetensors").read_bytes()
    assert recorded(made.folder.path) == recorded(reference)


def skips(use: str, number: int | None) -> list[str]:
    """What is told where the saving of a checkpoint was cut off."""
    if number is None:
        return []
    return [
        f"Warning: {use}-1: checkpoint-{number} is skipped: its saving was interrupted.",
        f"Warning: {use}-1: the training resumes from checkpoint-{number - 1}.",
    ]
