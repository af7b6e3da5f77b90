"""Hours of a training, from its tokens and an assumed throughput; `docs/gpu.md` explains them.

A token of a sequence costs two FLOP a parameter of the language model in a pass forward, and twice as many in one back
(arXiv 2001.08361, table 1), without attention between tokens, which adds a few per cent at these lengths. LoRA's pass
back has no gradients of the base, so that it costs as much as one forward; gradient checkpointing adds one forward. A
frozen tower runs forward once. To write a token costs as much as to read it, at a lower share of the peak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openvlt import ModelShape, Workload
from openvlt_plugins.trl import memory, parts

if TYPE_CHECKING:
    from openvlt_plugins.trl.grpo import Grpo
    from openvlt_plugins.trl.trainer import TrlTrainer

PEAK = 312e12
"""FLOP a second of an A100 in bf16 (NVIDIA's data sheet)."""
USED = 0.4
"""Share of the peak in a pass; an assumption. Published runs reach 0.3 to 0.5 (arXiv 2104.04473: 0.44 to 0.52)."""
WRITING = {"off": 0.02, "colocate": 0.1, "server": 0.1}
"""Share of the peak while responses are written, by the option ``vllm``; assumptions."""


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
    flop = (update + forward) * language(shape, work.prompt + reply)
    flop += (seen + forward) * 2 * shape.tower * work.image * shape.merge
    return sequences * flop / (PEAK * USED * memory.device_count(options, work)) / 3600


def of_rollouts(options: Grpo, shape: ModelShape, work: Workload, responses: int) -> float:
    """Hours in which responses of the most tokens are written; 0 where a server of others writes them."""
    if options.vllm_url:
        return 0.0
    devices = options.server_devices() or memory.device_count(options, work)
    read = (language(shape, work.prompt) / options.generations) / USED  # a prompt is read once a group
    written = language(shape, options.max_tokens) / WRITING[options.vllm]
    return responses * (read + written) / (PEAK * devices) / 3600


def language(shape: ModelShape, tokens: int) -> float:
    """FLOP of a pass forward of the language model over so many tokens; to look up an embedding costs none."""
    return 2.0 * (shape.text - (shape.embedding if shape.head else 0)) * tokens
