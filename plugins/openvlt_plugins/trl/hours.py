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

BUS = 31.5e9
"""Bytes a second in one direction of PCIe 4 x16: 16 lanes of 16 GT/s, 128 of 130 bits (PCI-SIG)."""


def of_passes(
    options: TrlTrainer, shape: ModelShape, work: Workload, *, rows: int, reply: int, each: int = 1, forward: int = 0
) -> float | None:
    """Hours of all updates; None without GPUs.

    Args:
        options: of the trainer.
        shape: of the model.
        work: lengths and GPUs.
        rows: of the whole training, of which a device holds `device_batch` at once.
        reply: tokens of each reply.
        each: sequences of a row.
        forward: passes forward beside those of an update.
    """
    if not work.gpus.count:
        return None
    frozen = parts.FROZEN if options.freeze is None else options.freeze
    update = 1 + (1 if options.lora_rank else 2) + (options.gradient_checkpointing != "off")
    seen = 1 if options.lora_rank or "vision" in frozen else update
    flop = (update + forward) * shape.flop(work.prompt + reply) + (seen + forward) * shape.flop(0, work.image)
    devices = memory.device_count(options, work)
    # Weights are read for a pass forward, and for that back, of which recomputing is a part; gradients are written.
    weights, gradients = memory.offloaded(options, shape, work)
    moved = ((2 + forward) * weights + gradients) * rows / (options.device_batch * devices)
    return gpu_hours(rows * each * flop, devices) + moved / BUS / 3600


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
