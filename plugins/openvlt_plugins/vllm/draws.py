"""Samples drawn as the backend hf draws them, for vLLM on a CPU.

There vLLM sorts the whole vocabulary and draws from a generator of its own for every seeded sample at every step,
which costs a small model as much as its layers do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from openvlt import Sampling, choose_tokens, penalise_repetition, uniform_draws

if TYPE_CHECKING:
    from vllm.config import VllmConfig

_TOGETHER = 64  # rows; what is computed of so many stays in the processor's cache, and their memory is used again
_FIELDS = ("temperature", "top_p", "top_k", "repetition_penalty", "seed")


def drawn(parameters: SamplingParams, key: str, sample: int, sampling: Sampling) -> SamplingParams:
    """Leave the choice of one sample's tokens to `Draws`; `parameters` are greedy."""
    told = {name: getattr(sampling, name) for name in _FIELDS}
    parameters.extra_args = {"openvlt": {"key": key, "sample": sample, **told}}
    return parameters


@dataclass(frozen=True)
class _Row:
    """One sample of the batch.

    Attributes:
        sampling: how to choose.
        draws: its random numbers, one a position, (positions,).
        prompt: tokens of the prompt.
        written: tokens of the reply, a list that vLLM goes on extending.
    """

    sampling: Sampling
    draws: torch.Tensor
    prompt: Sequence[int]
    written: Sequence[int]


class Draws(LogitsProcessor):  # type: ignore[misc]
    """Puts the token that `hf` would choose first in each row of the batch."""

    def __init__(self, config: VllmConfig, device: torch.device, pinned: bool) -> None:
        self._rows: dict[int, _Row] = {}

    def is_argmax_invariant(self) -> bool:
        """False: vLLM samples greedily, and so takes what was put first."""
        return False

    def update_state(self, update: BatchUpdate | None) -> None:
        """Follow the batch: rows come, go and move."""
        process_dict_updates(self._rows, update, _row)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Raise the chosen token of each row above all others in `logits`, (rows, vocabulary) in float32, in place."""
        groups: dict[Sampling, list[int]] = {}
        for place in sorted(self._rows):
            groups.setdefault(self._rows[place].sampling, []).append(place)
        for sampling, places in groups.items():
            for start in range(0, len(places), _TOGETHER):
                self._choose(logits, sampling, places[start : start + _TOGETHER])
        return logits

    def _choose(self, logits: torch.Tensor, sampling: Sampling, places: list[int]) -> None:
        rows, scores = [self._rows[place] for place in places], logits[places]
        if sampling.repetition_penalty != 1:
            scores = penalise_repetition(scores, _seen(rows, scores), sampling.repetition_penalty)
        tokens = choose_tokens(scores, sampling, torch.stack([row.draws[len(row.written)] for row in rows]))
        logits[places, tokens] = float("inf")


def _row(parameters: SamplingParams, prompt: Sequence[int] | None, written: Sequence[int]) -> _Row | None:
    told = (parameters.extra_args or {}).get("openvlt")
    if told is None:
        return None
    sampling = Sampling(**{name: told[name] for name in _FIELDS})
    draws = uniform_draws(told["key"], told["sample"], sampling.seed, parameters.max_tokens)
    return _Row(sampling, draws, prompt or (), written)


def _seen(rows: Sequence[_Row], logits: torch.Tensor) -> torch.Tensor:
    """Marks the tokens of each prompt and reply, (rows, vocabulary)."""
    seen = torch.zeros_like(logits, dtype=torch.bool)
    for place, row in enumerate(rows):
        seen[place, [*row.prompt, *row.written]] = True
    return seen
