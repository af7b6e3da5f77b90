"""Prints the table of docs/gpu.md: what SFT and GRPO of a 3B and a 7B need of each GPU, by the plan's own code."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from openvlt import Gpus, Model, Trainer, Workload
from openvlt.engines import model_shape
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.sft import Sft

COUNTS, SIZES = (1, 2, 4, 8), (24, 40, 80)
PROMPT, IMAGE, REPLY = 590, 334, 2048
"""Tokens: 256 of text and an image of 262,144 pixels, and a reply as long as the published limit."""


def trainer(kind: str, rank: int, count: int) -> Trainer:
    if kind == "SFT":
        return Sft(devices="auto", lora_rank=rank)
    tensor_parallel = min(2, count)
    return Grpo(devices="auto", lora_rank=rank, vllm="colocate", vllm_memory=0.45, vllm_tensor_parallel=tensor_parallel)


def cell(kind: str, model: str, rank: int, count: int, size: int) -> str:
    """GB of each GPU; struck through where they have less."""
    shape = model_shape(Model(id=f"Qwen/Qwen2.5-VL-{model}-Instruct"))
    work = Workload(prompt=PROMPT, image=IMAGE, reply=REPLY, gpus=Gpus(count, size << 30))
    assert shape
    needed = sum((trainer(kind, rank, count).memory(shape, work) or {}).values())
    return f"{needed / 1e9:.0f}" if needed <= work.gpus.size else f"~~{needed / 1e9:.0f}~~"


def table() -> Iterator[str]:
    """The lines of the table, in Markdown."""
    columns = [f"{count} x {size}" for size, count in product(SIZES, COUNTS)]
    yield f"| | {' | '.join(columns)} |"
    yield "| --- |" + " ---: |" * len(columns)
    for kind, model, rank in product(("SFT", "GRPO"), ("3B", "7B"), (0, 16)):
        cells = [cell(kind, model, rank, count, size) for size, count in product(SIZES, COUNTS)]
        yield f"| {kind}, {model}, {'LoRA 16' if rank else 'full'} | {' | '.join(cells)} |"


if __name__ == "__main__":
    print("\n".join(table()))
