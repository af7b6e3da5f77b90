"""The policy as a torch model: loaded in full precision, partly frozen, saved as a self-contained folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openvlt import Checkpoint, Model
from openvlt_plugins.trl import parts


def load(model: Model, freeze: Sequence[str] | None, seed: int, checkpoint: Path | None) -> tuple[Any, Any]:
    """Load the model to train and its processor.

    The weights are float32 whatever the saved dtype, since bf16 weights would round away the updates at the published
    learning rate of 1e-6; on a GPU the arithmetic is bf16 by autocast.

    Args:
        model: folder, dtype and pixel limits.
        freeze: frozen parts; None for all but the language model.
        seed: of all randomness from here on.
        checkpoint: folder of the checkpoint to resume from, or None.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, set_seed

    set_seed(seed)
    config = AutoConfig.from_pretrained(model.id, trust_remote_code=False)
    sees = getattr(config, "vision_config", None) is not None
    loader = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    policy = loader.from_pretrained(model.id, dtype=torch.float32, trust_remote_code=False, use_safetensors=True)
    if checkpoint and not (checkpoint / "adapter_config.json").exists():
        # transformers 5 saves Qwen2.5-VL with its old parameter names. On resume its Trainer does not rename them, and
        # would continue from the weights above with only a warning; so the checkpoint is loaded here.
        saved = loader.from_pretrained(checkpoint, dtype=torch.float32, trust_remote_code=False, use_safetensors=True)
        policy.load_state_dict(saved.state_dict())
    processor = AutoProcessor.from_pretrained(model.id, padding_side="left", trust_remote_code=False)
    if model.pixels and hasattr(processor, "image_processor"):
        low, high = model.pixels
        processor.image_processor.size = {"shortest_edge": low, "longest_edge": high}
    parts.freeze(policy, freeze)
    parts.frozen_without_gradients(policy)
    return policy, processor


def save(trainer: Any, processor: Any, model: Model, folder: Path) -> Checkpoint:
    """Merge adapters, and save model and processor to a self-contained folder.

    Args:
        trainer: the finished trainer.
        processor: saved with the model, including pixel limits.
        model: the starting model; its dtype, or with ``auto`` the dtype of its file, is that of the saved weights.
        folder: of the job; the result is ``folder/model``.
    """
    import torch
    from transformers import AutoConfig

    policy = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(policy, "merge_and_unload"):
        policy = policy.merge_and_unload()
    saved = AutoConfig.from_pretrained(model.id, trust_remote_code=False)
    name = model.dtype if model.dtype != "auto" else saved.dtype
    dtype = getattr(torch, str(name).removeprefix("torch.")) if name else torch.float32
    target = folder / "model"
    if trainer.accelerator.is_main_process:
        policy.to(dtype).save_pretrained(target, safe_serialization=True)
        processor.save_pretrained(target)
    trainer.accelerator.wait_for_everyone()
    return Checkpoint(target, _last_metrics(trainer))


def _last_metrics(trainer: Any) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for entry in trainer.state.log_history:
        metrics.update({key: float(value) for key, value in entry.items() if isinstance(value, int | float)})
    return metrics
