"""What a training does before its first update: the trainer itself is asked, not the functions that it calls."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image as Pictures

from openvlt import DataError, Example, Format, Image, Model, Trace, UsageError
from openvlt_plugins.trl import policy, rollouts
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.sft import Sft
from openvlt_plugins.trl.trainer import TrlTrainer

SFT: dict[str, Any] = {"batch": 2, "device_batch": 1, "devices": 1}
GRPO: dict[str, Any] = {"prompts": 2, "generations": 4, "batch": 8, "device_batch": 1, "devices": 1}


class Job:
    """Two examples, the second with a picture."""

    format, seed, checkpoint = Format(), 0, None

    def __init__(self, model: Model, folder: Path) -> None:
        self.model, self.folder = model, folder

    def examples(self) -> list[Example]:
        return [Example(id=str(n), question="?", answer="1", images=(Image.file("/a"),) * n) for n in range(2)]

    def traces(self) -> list[Trace]:
        return [Trace(think="so", answer="1", raw="")] * 2

    def read(self, image: Image) -> Any:
        return Pictures.new("RGB", (40, 40))


@pytest.mark.parametrize(
    ("trainer", "context"),
    [(Sft(**SFT), 20), (Grpo(**GRPO, max_tokens=300), 300)],  # 300 leave no room for a prompt
)
def test_a_row_over_the_context_is_refused(
    vision_model: Path, tmp_path: Path, trainer: TrlTrainer, context: int
) -> None:
    with pytest.raises(DataError, match=rf"Row 1 .* with its response, over the {context} of the model's context"):
        trainer.train(Job(Model(id=str(vision_model), context=context), tmp_path))  # type: ignore[arg-type]


def test_rows_that_would_let_processes_wait_are_refused(vision_model: Path, tmp_path: Path) -> None:
    trainer = Sft(**{**SFT, "devices": 2, "parallel": "zero3"})
    with pytest.raises(UsageError, match="parallel: zero3 divides weights of the vision tower"):
        trainer.train(Job(Model(id=str(vision_model)), tmp_path))  # type: ignore[arg-type]


def test_a_checkpoint_of_another_sharing_is_refused(vision_model: Path, tmp_path: Path) -> None:
    job = Job(Model(id=str(vision_model)), tmp_path)
    (tmp_path / "global_step1").mkdir()
    job.checkpoint = tmp_path  # type: ignore[assignment]
    with pytest.raises(UsageError, match="written with parallel: zero2 or zero3, and this training has ddp"):
        Sft(**SFT).train(job)  # type: ignore[arg-type]


def test_a_model_of_the_hub_is_trained_at_its_revision(
    vision_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two revisions in the hub's cache that of the recipe has a context of 30 tokens."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--us--tiny"
    (repository / "refs").mkdir(parents=True)
    for branch, commit in {"main": "a" * 40, "v1": "b" * 40}.items():
        shutil.copytree(vision_model, repository / "snapshots" / commit)
        (repository / "refs" / branch).write_text(commit)
    file = repository / "snapshots" / ("b" * 40) / "config.json"
    config = json.loads(file.read_bytes())
    config["text_config"]["max_position_embeddings"] = 30
    file.write_text(json.dumps(config))
    with pytest.raises(DataError, match="over the 30 of the model's context"):
        Sft(**SFT).train(Job(Model(id="us/tiny", revision="v1"), tmp_path))  # type: ignore[arg-type]


def test_kernels_and_layers_of_adapters_reach_the_model(
    vision_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    whole = policy.load

    def load(*options: Any, kernels: str | None, **others: Any) -> Any:
        told.append(kernels)
        return whole(*options, kernels=None, **others)

    def trainer(self: Any, job: Any, base: Any, peft_config: Any, **_: Any) -> Any:
        told.append({name.rpartition(".")[2] for name in peft_config.target_modules})
        raise KeyboardInterrupt

    monkeypatch.setattr(policy, "load", load)
    monkeypatch.setattr(Sft, "trainer", trainer)
    options = {"attention": "flash2", "lora_rank": 2, "lora_targets": ("q_proj", "down_proj")}
    with pytest.raises(KeyboardInterrupt):
        Sft(**SFT, **options).train(Job(Model(id=str(vision_model)), tmp_path))  # type: ignore[arg-type]
    assert told == ["flash_attention_2", {"q_proj", "down_proj"}]


def test_the_limits_of_pixels_are_those_of_the_training(family: Callable[[str], Path]) -> None:
    """In the processor, and in a network that has them too (LLaVA's grid)."""
    limits = (1024, 4 * 1024)
    folder = str(family("LLaVA-OneVision"))
    own, limited = (policy.load_processor(Model(id=folder, pixels=pixels)) for pixels in (None, limits))
    grids = [[list(size) for size in each.image_processor.image_grid_pinpoints] for each in (own, limited)]
    assert grids[0] != grids[1]
    loaded = policy.load(Model(id=folder, pixels=limits), None, None)
    assert [list(size) for size in loaded.config.image_grid_pinpoints] == grids[1]


def test_a_frozen_tower_runs_once_without_gradients(vision_model: Path) -> None:
    """Also with gradient checkpointing, which computes again whatever has gradients."""
    import torch

    processor = policy.load_processor(Model(id=str(vision_model)))
    turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}]
    text = processor.apply_chat_template(turns)
    inputs = processor(text=[text], images=[Pictures.new("RGB", (48, 32))], return_tensors="pt")
    for freeze, calls in ((None, [False]), ([], [True, True])):
        loaded = policy.load(Model(id=str(vision_model)), freeze, None).train()
        loaded.gradient_checkpointing_enable({"use_reentrant": False})
        loaded.enable_input_require_grads()
        seen: list[bool] = []
        loaded.model.visual.blocks[0].mlp.gate_proj.register_forward_hook(
            lambda *_, seen=seen: seen.append(torch.is_grad_enabled())
        )
        loaded(**inputs, labels=inputs["input_ids"]).loss.backward()
        assert seen == calls


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"vllm_tensor_parallel": 2, "devices": 2}, {"vllm_tensor_parallel_size": 2, "vllm_mode": "colocate"}),
        ({"vllm_sleep": False}, {"vllm_enable_sleep_mode": False}),
        ({"vllm": "server"}, {"vllm_enable_sleep_mode": False, "vllm_gpu_memory_utilization": 0.9, "vllm_mode": "server"}),
        ({"importance_correction": "off"}, {"vllm_importance_sampling_correction": False}),
        (
            {"importance_correction": "sequence_mask"},
            {"vllm_importance_sampling_correction": True, "vllm_importance_sampling_mode": "sequence_mask"},
        ),
        ({"vllm": "server", "vllm_url": "http://a:1"}, {"vllm_server_base_url": "http://a:1", "use_vllm": True}),
    ],
)  # fmt: skip
def test_each_option_of_vllm_reaches_trl(options: dict[str, Any], fields: dict[str, Any]) -> None:
    made = Grpo(**{**GRPO, "vllm": "colocate", **options})._generation([7], 900)
    assert made | fields == made
    assert ("vllm_importance_sampling_mode" in made) == made["vllm_importance_sampling_correction"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"vllm": "off"}, ["made"]),
        ({"vllm": "colocate"}, ["colocated", "made", "left"]),
        ({"vllm": "server"}, ["server", "made"]),
        ({"vllm": "server", "vllm_url": "http://a:1"}, ["made"]),
    ],
)
def test_the_engine_of_rollouts_is_there_before_the_trainer(
    monkeypatch: pytest.MonkeyPatch, vision_model: Path, tmp_path: Path, options: dict[str, Any], expected: list[str]
) -> None:
    told: list[str] = []

    class Base:
        def __init__(self, **_: Any) -> None:
            told.append("made")
            self.model = SimpleNamespace(register_forward_pre_hook=lambda *_, **__: None)
            self.ref_model, self.use_vllm = None, False

    @contextmanager
    def colocated(*_: Any) -> Any:
        told.append("colocated")
        yield
        told.append("left")

    monkeypatch.setattr(rollouts, "colocated", colocated)
    monkeypatch.setattr(rollouts, "start_server", lambda *_: told.append("server"))
    job = Job(Model(id=str(vision_model)), tmp_path)
    shared = {"processing_class": policy.load_processor(job.model), "model": None, "args": None}
    Grpo(**{**GRPO, **options}).trainer(job, Base, **shared)  # type: ignore[arg-type]
    assert told == expected
