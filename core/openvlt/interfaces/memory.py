"""The memory of a GPU that a training or an engine needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Memory: TypeAlias = Mapping[str, float]
"""Bytes of a GPU by what they hold, such as ``weights``; at its fullest it holds all of them."""


@dataclass(frozen=True, slots=True)
class Gpus:
    """Equal GPUs: their number, and the memory of each in bytes."""

    count: int
    size: int

    @property
    def described(self) -> str:
        """For messages: ``are 4 GPUs of 85.9 GB``."""
        if not self.count:
            return "is no GPU"
        return f"{'is 1 GPU' if self.count == 1 else f'are {self.count} GPUs'} of {self.size / 1e9:.1f} GB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a model is to work on, and with which GPUs.

    Attributes:
        prompt: tokens of a long prompt, its image included.
        reply: tokens of the longest reply; a trainer whose own option limits replies ignores it.
        image: tokens of the prompt that are the image's.
        width: bytes of a parameter of an engine's model.
        gpus: to work with; none for a CPU.
    """

    prompt: int
    reply: int
    image: int = 0
    width: int = 2
    gpus: Gpus = Gpus(0, 0)
