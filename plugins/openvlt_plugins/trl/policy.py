"""The policy as a torch model: loaded in the precision it is trained in, partly frozen, saved as a complete folder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from openvlt import Checkpoint, Model, OpenvltError, UsageError, first_line, limit_pixels
from openvlt_plugins.trl import parts

_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
"""Files of a repository on the hub that a model consists of; other formats of its weights are left out."""


def located(model: Model) -> Model:
    """The model as a folder: of the hub's cache, at its revision, if its id is none already.

    The reference model and vLLM load from the same folder, so that they have the same revision.
    """
    if Path(model.id).exists():
        return model
    from huggingface_hub import constants, snapshot_download

    folder = snapshot_download(
        model.id, revision=model.revision, allow_patterns=list(_FILES), local_files_only=constants.HF_HUB_OFFLINE
    )
    return replace(model, id=folder)


def load_config(model: Model) -> Any:
    """The configuration of a model."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(model.id, trust_remote_code=False)


def _loader(config: Any) -> Any:
    """transformers' class that makes and loads models of a configuration."""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    sees = getattr(config, "vision_config", None) is not None
    return AutoModelForImageTextToText if sees else AutoModelForCausalLM


def outline(config: Mapping[str, Any]) -> Any:
    """A model without weights: its modules and the shapes of its parameters, which need no memory.

    Args:
        config: its ``config.json``.

    Raises:
        UsageError: transformers makes no model of it.
    """
    import torch
    from transformers import AutoConfig

    try:
        made = type(AutoConfig.for_model(config["model_type"])).from_dict(dict(config))
        with torch.device("meta"):
            return _loader(made).from_config(made)
    except Exception as error:  # what is wrong with a configuration is found by the code of the model
        raise UsageError(
            f"transformers makes no model of the type {config.get('model_type')}: {first_line(error)}.",
            "Train another model, or install a transformers that knows it.",
        ) from error


def context(model: Model) -> int | None:
    """Tokens that a prompt and its response may have together; None if nothing limits them."""
    found = model.context or getattr(load_config(model).get_text_config(), "max_position_embeddings", None)
    return int(found) if found else None


def load_processor(model: Model) -> Any:
    """The processor of a model, or the tokenizer of a text model, with the model's limits of pixels."""
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(model.id, padding_side="left", trust_remote_code=False)
    if model.pixels:
        limit_pixels(processor, None, model.pixels)
    return processor


def load(
    model: Model,
    freeze: Sequence[str] | None,
    checkpoint: Path | None,
    *,
    adapted: bool = False,
    pure: bool = False,
    mixed: bool = False,
    kernels: str | None = None,
) -> Any:
    """Load the model to train.

    What is trained is float32 whatever the saved dtype, since bf16 weights would round away the updates at the
    published learning rate of 1e-6. What is frozen stays bf16, if it is saved so and the arithmetic is bf16.

    Args:
        model: folder and dtype.
        freeze: frozen parts; None for all but the language model.
        checkpoint: folder of the checkpoint whose weights replace those of the model, or None.
        adapted: True if adapters are trained, and all of the model is frozen.
        pure: True if all weights are bf16.
        mixed: True if the arithmetic is bf16.
        kernels: transformers' name of those for attention, or None for its choice.
    """
    import torch

    config = load_config(model)
    low = mixed and config.dtype == torch.bfloat16
    dtype = torch.bfloat16 if pure or (adapted and low) else torch.float32
    loader = _loader(config)
    policy = loader.from_pretrained(
        model.id, dtype=dtype, attn_implementation=kernels, trust_remote_code=False, use_safetensors=True
    )
    if checkpoint:
        # transformers 5 saves Qwen2.5-VL with its old parameter names. On resume its Trainer does not rename them, and
        # would continue from the weights above with only a warning; so the checkpoint is loaded here.
        saved = loader.from_pretrained(checkpoint, dtype=dtype, trust_remote_code=False, use_safetensors=True)
        policy.load_state_dict(saved.state_dict())
    if model.pixels:
        limit_pixels(load_processor(model), policy.config, model.pixels)
    parts.freeze(policy, freeze)
    parts.frozen_without_gradients(policy)
    if low:
        for module in parts.frozen_modules(policy):
            module.to(torch.bfloat16)
    return policy


def reference_dtype(model: Model, *, pure: bool, mixed: bool) -> str:
    """The dtype of the reference model: of what is frozen in `load`, for it is.

    TRL would take that of the policy's first parameter: float32 where that is trained, or belongs to no module of a
    frozen tower (LLaVA-OneVision).
    """
    import torch

    return "bfloat16" if pure or (mixed and load_config(model).dtype == torch.bfloat16) else "float32"


def save(trainer: Any, processor: Any, model: Model, folder: Path) -> Checkpoint:
    """Gather what processes share, merge adapters, and save model and processor to a self-contained folder.

    Args:
        trainer: the finished trainer.
        processor: saved with the model, including pixel limits.
        model: the starting model; its dtype, or with ``auto`` the dtype of its file, is that of the saved weights.
        folder: of the job; the result is ``folder/model``.

    Raises:
        OpenvltError: a tensor that was gathered or saved is not what the configuration says.
    """
    import torch

    gathered = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    target = folder / "model"
    if trainer.accelerator.is_main_process:
        name = model.dtype if model.dtype != "auto" else load_config(model).dtype
        dtype = getattr(torch, str(name).removeprefix("torch.")) if name else torch.float32
        policy = _whole(trainer.accelerator.unwrap_model(trainer.model), gathered).to(dtype)
        policy.save_pretrained(target, safe_serialization=True)
        processor.save_pretrained(target)
        check_saved(policy, target)
    trainer.accelerator.wait_for_everyone()
    return Checkpoint(target, _last_metrics(trainer))


def _whole(trained: Any, gathered: dict[str, Any]) -> Any:
    """A model like the trained one, with all its weights on the CPU and its adapters merged.

    Raises:
        OpenvltError: a weight is missing, or has another shape than the configuration says.
    """
    import torch
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()  # under ZeRO-3 each new model is divided, which this process alone cannot do
    adapted = hasattr(trained, "peft_config")
    base = trained.get_base_model() if adapted else trained
    with torch.device("meta"):
        policy = type(base)(base.config)
        if adapted:
            from peft import get_peft_model

            policy = get_peft_model(policy, trained.peft_config["default"])
    weights = {name: weight.cpu() for name, weight in gathered.items()}
    for name, expected in policy.state_dict().items():
        if name in weights and weights[name].shape != expected.shape:
            raise _damaged(f"{name} has the shape {tuple(weights[name].shape)}, not {tuple(expected.shape)}")
    policy.load_state_dict(weights, strict=False, assign=True)
    policy.tie_weights()
    if missing := [name for name, weight in policy.state_dict().items() if weight.is_meta]:
        raise _damaged(f"{missing[0]} is missing")
    policy = policy.merge_and_unload() if adapted else policy
    policy.generation_config = base.generation_config
    if hasattr(base, "_weight_conversions"):  # how its parameters are called in files
        policy._weight_conversions = base._weight_conversions
    return policy


def check_saved(policy: Any, folder: Path) -> None:
    """Compare the files of a saved model with the model.

    Raises:
        OpenvltError: a tensor is empty, or the files have more or fewer numbers than the model.
    """
    shapes = dict(_shapes(folder))
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    if empty := [name for name, size in sizes.items() if not size]:
        raise _damaged(f"{empty[0]} has the shape {tuple(shapes[empty[0]])}")
    ours = sum({weight.data_ptr(): weight.numel() for weight in policy.state_dict().values()}.values())
    if sum(sizes.values()) != ours:
        raise _damaged(f"its files have {sum(sizes.values()):,} numbers, not {ours:,}")


def _shapes(folder: Path) -> Iterator[tuple[str, list[int]]]:
    from safetensors import safe_open

    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118  # it is no mapping
                yield name, weights.get_slice(name).get_shape()


def _damaged(what: str) -> OpenvltError:
    return OpenvltError(
        f"The trained model was not saved whole: {what}.",
        "Run the same command again, which resumes from the last checkpoint; if it recurs, set parallel: ddp.",
    )


def _last_metrics(trainer: Any) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for entry in trainer.state.log_history:
        metrics.update({key: float(value) for key, value in entry.items() if isinstance(value, int | float)})
    return metrics
