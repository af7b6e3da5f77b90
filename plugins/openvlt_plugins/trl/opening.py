"""What a recipe opens of TRL: fields of its configuration beside our options, and a subclass of its trainer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, get_type_hints

from openvlt import Option, UsageError

Extra = Annotated[Mapping[str, Any], Option("further fields of TRL's configuration, by their names there")]
TrainerClass = Annotated[
    str | None, Option("subclass of TRL's trainer that trains instead of it, as package.module:Class")
]

OPTIONS = {
    "num_generations": "generations", "max_completion_length": "max_tokens", "generation_batch_size": "prompts",
    "max_steps": "steps", "num_train_epochs": "epochs", "per_device_train_batch_size": "device_batch",
    "gradient_accumulation_steps": "batch", "lr_scheduler_type": "schedule", "warmup_steps": "warmup",
    "save_steps": "save_every", "optim": "optimizer", "bf16": "precision", "fp16": "precision",
    "fsdp": "parallel", "fsdp_config": "parallel",
    "deepspeed": "parallel", "use_liger_kernel": "liger", "dataloader_num_workers": "workers", "use_vllm": "vllm",
    "vllm_mode": "vllm", "vllm_server_base_url": "vllm_url", "vllm_gpu_memory_utilization": "vllm_memory",
    "vllm_tensor_parallel_size": "vllm_tensor_parallel", "vllm_enable_sleep_mode": "vllm_sleep",
    "vllm_importance_sampling_correction": "importance_correction",
    "vllm_importance_sampling_mode": "importance_correction",
}  # fmt: skip
"""TRL's fields that an option of ours sets, where that has another name."""
RESERVED = {
    "output_dir", "seed", "use_cpu", "remove_unused_columns", "disable_tqdm", "model_init_kwargs",
    "logging_steps", "logging_strategy", "save_strategy", "save_total_limit", "save_only_model",
    "resume_from_checkpoint", "enable_jit_checkpoint", "auto_find_batch_size", "accelerator_config",
    "shuffle_dataset", "train_sampling_strategy", "max_length", "packing", "eval_strategy", "reward_weights",
    "completion_only_loss", "num_iterations", "steps_per_generation", "generation_kwargs", "vllm_max_model_length",
    "trust_remote_code", "push_to_hub", "hub_model_id", "hub_token", "log_completions_hub_repo", "log_multimodal",
}  # fmt: skip
"""Fields that openvlt sets itself or whose counterpart it does not give (held-out rows, several rewards), or that would
break a resume, run foreign code or publish the model."""


def check_target(target: str | None) -> None:
    """Refuse the name of a class whose package is not there; nothing is imported.

    Raises:
        UsageError: what is wrong with it.
    """
    if target is None:
        return
    module, _, name = target.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        raise UsageError(
            f"The option trainer_class is {target!r}, which names no class.", "Write it as package.module:Class."
        )
    top = module.partition(".")[0]
    if find_spec(top) is None:
        raise UsageError(f"The option trainer_class names the package {top}, which is not installed.", "Install it.")


def classes(method: str, target: str | None) -> tuple[Any, Any]:
    """The trainer class to train with, and the class of its configuration.

    A subclass has the configuration that its attribute `config_class` names, a subclass of TRL's; by default TRL's.

    Args:
        method: of TRL: ``SFT``, ``GRPO`` or ``DPO``.
        target: ``package.module:Class``; None for TRL's own trainer.

    Raises:
        UsageError: the class cannot be imported, or is no subclass of TRL's.
    """
    import trl

    trainer, config = getattr(trl, f"{method}Trainer"), getattr(trl, f"{method}Config")
    if target is None:
        return trainer, config
    module, _, name = target.partition(":")
    try:
        found = getattr(import_module(module), name)
    except Exception as error:  # a plugin's code may raise anything
        raise UsageError(
            f"The option trainer_class: {target} cannot be imported: {type(error).__name__}: {error}.",
            "Correct its name, or fix its package.",
        ) from error
    own = getattr(found, "config_class", config)
    for what, each, base in (("It", found, trainer), ("Its config_class", own, config)):
        if not (isinstance(each, type) and issubclass(each, base)):
            raise UsageError(
                f"The option trainer_class: {target} cannot train. {what} is no subclass of TRL's {base.__name__}.",
                "Derive it from that class.",
            )
    return found, own


def checked(extra: Mapping[str, Any], config: Any, options: Collection[str]) -> dict[str, Any]:
    """The extra fields, converted to their types.

    Args:
        extra: field names and values.
        config: class of the configuration.
        options: names of the options.

    Raises:
        UsageError: there is no such field, it is not for a recipe to set, or its value has another type.
    """
    from pydantic import TypeAdapter, ValidationError

    known = sorted({field.name for field in fields(config) if field.init})
    hints = get_type_hints(config) if extra else {}
    found = {}
    for name, value in extra.items():
        option = name if name in options else OPTIONS.get(name)
        if option in options:
            raise UsageError(
                f"The option extra sets {name}, as the option {option} does.", f"Set {option} instead.", "extra"
            )
        if name in RESERVED:
            raise UsageError(f"The option extra sets {name}, which openvlt decides.", "Remove it.", "extra")
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise UsageError(
                f"The option extra names {name}, which is no field of {config.__name__}.",
                f"Did you mean '{near[0]}'?" if near else f"TRL's documentation of {config.__name__} lists its fields.",
                "extra",
            )
        try:
            found[name] = TypeAdapter(hints[name], config={"arbitrary_types_allowed": True}).validate_python(value)
        except ValidationError as error:
            raise UsageError(
                f"The field {name} of the option extra is {value!r}, but it must be of the type {hints[name]}.",
                f"TRL's documentation of {config.__name__} says what it may be.",
                "extra",
            ) from error
    return found


def configuration(config: Any, fields: Mapping[str, Any], extra: Mapping[str, Any]) -> Any:
    """TRL's configuration.

    Raises:
        UsageError: TRL refuses a value among the extra fields.
    """
    try:
        return config(**fields, **extra)
    except (TypeError, ValueError) as error:
        if not extra:
            raise
        raise UsageError(f"TRL refuses the option extra: {error}", "Correct or remove the field.") from error
