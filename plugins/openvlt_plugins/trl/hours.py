"""Hours of a training, from its tokens and an assumed throughput; `docs/gpu.md` explains them.

A pass back costs twice as much as one forward (arXiv 2001.08361, table 1). LoRA's has no gradients of the base, so that
it costs as much as one forward; gradient checkpointing adds one forward. A frozen tower runs forward once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from openvlt import EAGER_SHARE, PAGED_SHARE, ModelShape, Workload, gpu_hours, writing_hours
from openvlt_plugins.trl import memory, parts

if TYPE_CHECKING:
    from openvlt_plugins.trl.grpo import Grpo
    from openvlt_plugins.trl.trainer import TrlTrainer


def of_passes(
    options: TrlTrainer, shape: ModelShape, work: Workload, *, sequences: int, reply: int, forward: int = 0
) -> float | None:
    """Hours of all updates; None without GPUs.

    Args:
        options: of the trainer.
        shape: of the model.
        work: lengths and GPUs.
        sequences: of the whole training.
        reply: tokens of each reply.
        forward: passes forward beside those of an update.
    """
    if not work.gpus.count:
        return None
    frozen = parts.FROZEN if options.freeze is None else options.freeze
    update = 1 + (1 if options.lora_rank else 2) + (options.gradient_checkpointing != "off")
    seen = 1 if options.lora_rank or "vision" in frozen else update
    flop = (update + forward) * shape.flop(work.prompt + reply) + (seen + forward) * shape.flop(0, work.image)
    return gpu_hours(sequences * flop, memory.device_count(options, work))


def of_rollouts(options: Grpo, shape: ModelShape, work: Workload, responses: int) -> float:
    """Hours in which responses of the most tokens are written; 0 where a server of others writes them."""
    if options.vllm_url:
        return 0.0
    written = writing_hours(
        shape, replace(work, reply=options.max_tokens), prompts=responses / options.generations,
        samples=options.generations, share=EAGER_SHARE if options.vllm == "off" else PAGED_SHARE,
        gpus=options.server_devices() or memory.device_count(options, work),
    )  # fmt: skip
    return written or 0.0
