"""How long GPUs are taken to read and to write tokens; `docs/gpu.md` explains it.

Attention between tokens is left out, which adds a few per cent at these lengths. To write a token costs as much as to
read it, at a lower share of the peak. None of the shares has been measured.
"""

from __future__ import annotations

from openvlt.interfaces.memory import Workload
from openvlt.records import ModelShape

PEAK = 312e12
"""FLOP a second of an A100 in bf16 (NVIDIA's data sheet)."""
READING = 0.4
"""Share of the peak in a pass; an assumption. Published trainings reach 0.3 to 0.5 (arXiv 2104.04473: 0.44 to 0.52)."""
EAGER_SHARE = 0.02
"""Share of the peak while torch writes some 64 sequences at a time, launching each operation; an assumption."""
PAGED_SHARE = 0.1
"""The same with paged keys and values, fused kernels and hundreds of sequences at a time; an assumption. Others report
0.12 and 0.15 of vLLM (R1-Distill-Qwen-32B and 7B, 577 and 3,363 tokens a second, morphllm.com/vllm-benchmarks)."""


def gpu_hours(flop: float, gpus: int, share: float = READING) -> float:
    """Hours that GPUs take for so many FLOP in bf16; `share` is how much of the peak they reach."""
    return flop / (PEAK * share * gpus) / 3600


def writing_hours(
    shape: ModelShape, work: Workload, *, prompts: float, samples: int, share: float, gpus: int
) -> float | None:
    """Hours in which a model answers prompts, each reply as long as the longest; None without GPUs.

    Args:
        shape: of the model.
        work: lengths of a prompt and a reply.
        prompts: their number; each is read once.
        samples: replies to each.
        share: of the peak while tokens are written, such as `PAGED_SHARE`.
        gpus: that work at the same time.
    """
    if not work.gpus.count:
        return None
    read = gpu_hours(prompts * shape.flop(work.prompt, work.image), gpus)
    return read + gpu_hours(prompts * samples * shape.flop(work.reply), gpus, share)
