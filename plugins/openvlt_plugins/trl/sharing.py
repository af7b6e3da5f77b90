"""How processes share a training, and with what: options as the fields of transformers' and TRL's configurations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from annotated_types import Ge

from openvlt import Example, Option, UsageError, visible_gpus
from openvlt_plugins.trl import parts

if TYPE_CHECKING:
    from openvlt_plugins.trl.trainer import TrlTrainer

Sharing: TypeAlias = Literal["ddp", "fsdp2", "zero2", "zero3"]
Devices = Annotated[
    Annotated[int, Ge(1)] | Literal["auto"],
    Option("processes on each machine, one per GPU; auto for all GPUs, or one process without"),
]
Nodes = Annotated[int, Ge(1), Option("machines that train together")]
Parallel = Annotated[
    Literal["auto", "ddp", "fsdp2", "zero2", "zero3"],
    Option("what processes share: ddp nothing, zero2 gradients and optimizer, fsdp2 and zero3 weights too"),
]
Precision = Annotated[Literal["mixed", "bf16"], Option("bf16 arithmetic over float32 weights, or bf16 throughout")]
Optimizer = Annotated[
    Literal["adamw", "adamw-8bit", "paged-adamw-8bit", "adamw-offload"],
    Option("AdamW, with states of 32 or 8 bits, or on the CPU"),
]
Checkpointing = Annotated[
    Literal["auto", "on", "off"], Option("compute activations twice instead of keeping them; auto on GPUs")
]
Attention = Annotated[Literal["auto", "sdpa", "flash2", "flash3"], Option("attention kernels; auto is torch's sdpa")]
Liger = Annotated[bool, Option("Liger's fused kernels for the layers")]

_PACKAGES = {
    ("parallel", "zero2"): ("deepspeed", "deepspeed"),
    ("parallel", "zero3"): ("deepspeed", "deepspeed"),
    ("optimizer", "adamw-8bit"): ("bitsandbytes", "bitsandbytes"),
    ("optimizer", "paged-adamw-8bit"): ("bitsandbytes", "bitsandbytes"),
    ("attention", "flash2"): ("flash_attn", "flash-attn"),
    ("attention", "flash3"): ("flash_attn_interface", "flash-attn-3"),
    ("liger", True): ("liger_kernel", "liger-kernel"),
}
"""The module that a value of an option needs, and the package that has it."""
_NEED_GPUS = (*((name, value) for name, value in _PACKAGES if name != "parallel"), ("parallel", "fsdp2"))
KERNELS = {"sdpa": "sdpa", "flash2": "flash_attention_2", "flash3": "flash_attention_3"}
"""transformers' names for attention kernels."""


def refuse_alone(options: TrlTrainer, world: int) -> None:
    """Refuse options that have no effect in one process.

    Args:
        options: of the trainer.
        world: the processes, as far as they are known.

    Raises:
        UsageError: which, and what to do.
    """
    if world == 1 and options.parallel not in ("auto", "ddp"):
        raise UsageError(
            f"The option parallel: {options.parallel} has no effect with one process.",
            "Set devices above 1, or parallel: auto.",
        )
    if options.optimizer == "adamw-offload" and (world == 1 or options.parallel == "ddp"):
        raise UsageError(
            "The option optimizer: adamw-offload has an effect only where processes share the optimizer.",
            "Set parallel to fsdp2, zero2 or zero3, with devices above 1; or choose paged-adamw-8bit.",
        )


def refuse(options: TrlTrainer) -> None:
    """Refuse options that have no effect together.

    Raises:
        UsageError: which, and what to do.
    """
    shared, optimizer = options.parallel, options.optimizer
    if "8bit" in optimizer and shared not in ("auto", "ddp"):
        raise UsageError(
            f"The option optimizer: {optimizer} works on whole parameters, which parallel: {shared} divides.",
            "Set parallel: ddp, or choose adamw or adamw-offload.",
        )
    if options.precision == "bf16" and shared.startswith("zero"):
        raise UsageError(
            f"The option precision: bf16 has no effect with parallel: {shared}, which keeps float32 weights.",
            "Set parallel: fsdp2, or leave precision out.",
        )


def check_machine(options: TrlTrainer) -> None:
    """Refuse options whose packages are not installed, or that need GPUs where there are none.

    Raises:
        UsageError: what is missing, and how to get it.
    """
    for name, value in _NEED_GPUS:
        if getattr(options, name) == value and not visible_gpus():
            shown = str(value).lower() if value is True else value
            raise UsageError(f"The option {name}: {shown} needs a GPU, and this machine has none.", "Leave it out.")
    refuse_alone(options, options.world)
    if (options.optimizer, options.parallel) == ("adamw-offload", "auto") and not visible_gpus():
        raise UsageError(
            "The option optimizer: adamw-offload has no effect with parallel: auto on a CPU.", "Leave it out."
        )
    for (name, value), (module, package) in _PACKAGES.items():
        if getattr(options, name) == value and find_spec(module) is None:
            shown = str(value).lower() if value is True else value
            raise UsageError(
                f"The option {name}: {shown} needs the package {package}, which is not installed.",
                f"Run: pip install {package}",
            )


def check_kernels(policy: Any, attention: Attention) -> None:
    """Refuse attention kernels that transformers does not have for a model.

    Args:
        policy: a model of transformers, with or without weights.
        attention: the option.

    Raises:
        UsageError: it says so.
    """
    supported = policy._supports_sdpa if attention == "sdpa" else policy._supports_flash_attn
    if attention != "auto" and not supported:
        raise UsageError(
            f"The option attention: {attention} is not possible: {type(policy).__name__} of transformers has no such "
            "kernels.",
            "Leave it out.",
            "attention",
        )


def has_gpu() -> bool:
    """Whether this process computes on a GPU.

    Raises:
        UsageError: there is one, and torch cannot use it.
    """
    import torch

    found = bool(torch.cuda.is_available())
    if not found and (gpus := visible_gpus()):
        raise UsageError(
            f"This machine has GPUs ({', '.join(gpus)}), and torch {torch.__version__} cannot use them.",
            "Install a torch for CUDA that fits the driver, or set CUDA_VISIBLE_DEVICES= to train on the CPU.",
        )
    return found


def written_with(checkpoint: Path) -> Sequence[Sharing]:
    """What processes may have shared where a checkpoint was written."""
    if list(checkpoint.glob("pytorch_model_fsdp*")):
        return ("fsdp2",)
    return ("zero2", "zero3") if list(checkpoint.glob("global_step*")) else ("ddp",)


def check_checkpoint(checkpoint: Path | None, shared: Sharing) -> None:
    """Refuse a checkpoint that was written where processes shared something else.

    Raises:
        UsageError: what they shared.
    """
    if checkpoint is not None and shared not in (written := written_with(checkpoint)):
        raise UsageError(
            f"The checkpoint {checkpoint} was written with parallel: {' or '.join(written)}, and this training has "
            f"{shared}.",
            "Train on as many devices as before, or delete the checkpoint.",
        )


def check_rows(shared: Sharing, freeze: Sequence[str] | None, examples: Sequence[Example]) -> None:
    """Refuse rows without an image beside rows with one where processes gather the vision tower or its gradients.

    A process whose rows have none would gather neither, and the others would wait for it for ever, or fail (ZeRO-2).

    Raises:
        UsageError: what to do instead.
    """
    whole = shared in ("fsdp2", "zero2") and (freeze is None or set(freeze) == set(parts.FROZEN))
    if shared == "ddp" or whole or len({bool(example.images) for example in examples}) < 2:
        return
    raise UsageError(
        "Some examples have an image and some have none, and "
        f"parallel: {shared} divides {'gradients' if shared == 'zero2' else 'weights'} of the vision tower.",
        "Set parallel: fsdp2 or zero2 with vision and projector frozen, parallel: ddp, or train on one kind of "
        "examples.",
    )


def arguments(options: TrlTrainer, shared: Sharing, gpu: bool) -> dict[str, Any]:
    """The fields of transformers' `TrainingArguments` that say how and where to compute.

    Args:
        options: of the trainer.
        shared: what the processes share.
        gpu: whether there is one.
    """
    mixed = gpu and (options.precision == "mixed" or options.lora_rank > 0 or shared.startswith("zero"))
    checkpointing = options.gradient_checkpointing
    fields: dict[str, Any] = {
        "bf16": mixed,
        "use_cpu": not gpu,
        "gradient_checkpointing": gpu if checkpointing == "auto" else checkpointing == "on",
        "use_liger_kernel": options.liger,
    }
    if "8bit" in options.optimizer:
        fields["optim"] = {"adamw-8bit": "adamw_bnb_8bit", "paged-adamw-8bit": "paged_adamw_8bit"}[options.optimizer]
    offloaded = options.optimizer == "adamw-offload"
    if shared == "fsdp2":
        fields["fsdp"] = True
        # Else accelerate keeps the gradients of all parameters on each GPU, in bf16, until the last micro-batch.
        fields["accelerator_config"] = {"gradient_accumulation_kwargs": {"sync_each_batch": True}}
        fields["fsdp_config"] = {
            "version": 2,
            "state_dict_type": "SHARDED_STATE_DICT",
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "cpu_offload": offloaded,
            # accelerate 1.15 broadcasts only what is divided, and a frozen tower is kept whole
            "cpu_ram_efficient_loading": options.freeze == () and not options.lora_rank,
        }
    elif shared != "ddp":
        zero: dict[str, Any] = {"stage": int(shared[-1])}
        if shared == "zero3":
            zero["stage3_gather_16bit_weights_on_model_save"] = True
        if offloaded:
            zero["offload_optimizer"] = {"device": "cpu"}
        fields["deepspeed"] = {
            "train_micro_batch_size_per_gpu": "auto",
            "gradient_accumulation_steps": "auto",
            "gradient_clipping": "auto",
            "bf16": {"enabled": "auto"},
            "zero_optimization": zero,
            "zero_force_ds_cpu_optimizer": False,  # its own would be compiled on the machine
        }
    return fields


@contextmanager
def reference_by_layers(method: str, policy: Any) -> Iterator[None]:
    """While the block runs, TRL divides a reference model under FSDP2 as accelerate divides the policy: by layers.

    By itself it makes one unit of all of it (TRL 1.16, ``prepare_fsdp``), which each process would gather whole.

    Args:
        method: TRL's name of the trainer.
        policy: whose reference it is.
    """
    from accelerate.utils.fsdp_utils import fsdp2_prepare_model

    module: Any = import_module(f"trl.trainer.{method.lower()}_trainer")
    before = vars(module).get("prepare_fsdp")
    if before is None:  # SFT has no reference
        yield
        return

    def prepared(reference: Any, accelerator: Any) -> Any:
        keep_whole(accelerator, policy)
        reference.requires_grad_(False)  # else it would be made float32
        return fsdp2_prepare_model(accelerator, reference).eval()

    module.prepare_fsdp = prepared
    try:
        yield
    finally:
        module.prepare_fsdp = before


def keep_whole(accelerator: Any, policy: Any) -> None:
    """Let each process keep the frozen part of the vision tower whole, instead of its share of it.

    So a process whose rows have no image does not wait for others to gather the tower, and it stays in bf16.

    Args:
        accelerator: of a trainer that is about to begin, under FSDP2.
        policy: the model, without adapters around it.
    """
    frozen = {id(module) for module in parts.frozen_modules(policy)}
    names = [re.escape(name) for name, module in policy.named_modules() if id(module) in frozen]
    if names:  # with the prefix of adapters, if any; the reference model has the same names
        accelerator.state.fsdp_plugin.ignored_modules = rf"(.*\.)?({'|'.join(names)})"
