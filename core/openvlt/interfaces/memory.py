"""The memory of a GPU that a training or an engine needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Memory: TypeAlias = Mapping[str, float]
"""Bytes of a GPU by what they hold, such as ``weights``; at its fullest it holds all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a model is to work on, and with which GPUs.

    Attributes:
        prompt: tokens of a long prompt, its image included.
        reply: tokens of the longest reply; a trainer whose own option limits replies ignores it.
        image: tokens of the prompt that are the image's.
        width: bytes of a parameter of an engine's model.
        gpus: number of GPUs; 0 for a CPU.
        gpu_bytes: memory of each GPU.
    """

    prompt: int
    reply: int
    image: int = 0
    width: int = 2
    gpus: int = 0
    gpu_bytes: int = 0
