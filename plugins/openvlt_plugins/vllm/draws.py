"""Sampling as in the backend hf, for vLLM on a CPU.

vLLM itself sorts the whole vocabulary and uses a separate generator for every seeded sample at every step, which costs
a small model as much as its layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from openvlt import Sampling, choose_tokens, penalise_presence, penalise_repetition, uniform_draws

if TYPE_CHECKING:
    from vllm.config import VllmConfig

_ROWS = 64  # rows sampled at a time, few enough to stay in the CPU's cache
_FIELDS = ("temperature", "top_p", "top_k", "repetition_penalty", "presence_penalty", "seed")


def drawn(parameters: SamplingParams, key: str, sample: int, sampling: Sampling) -> SamplingParams:
    """Let `Draws` choose the tokens of one sample; `parameters` are greedy."""
    fields = {name: getattr(sampling, name) for name in _FIELDS}
    parameters.extra_args = {"openvlt": {"key": key, "sample": sample, **fields}}
    return parameters


@dataclass(frozen=True)
class _Row:
    """One sample of the batch.

    Attributes:
        sampling: the decoding fields.
        draws: its random numbers, one per position, (positions,).
        prompt: tokens of the prompt.
        written: tokens of the reply, a list that vLLM keeps extending.
    """

    sampling: Sampling
    draws: torch.Tensor
    prompt: Sequence[int]
    written: Sequence[int]


class Draws(LogitsProcessor):  # type: ignore[misc]
    """Raises the token that the backend hf would choose above all others, in each row of the batch."""

    def __init__(self, config: VllmConfig, device: torch.device, pinned: bool) -> None:
        self._rows: dict[int, _Row] = {}

    def is_argmax_invariant(self) -> bool:
        """False, since greedy sampling then picks the raised token."""
        return False

    def update_state(self, update: BatchUpdate | None) -> None:
        """Follow the batch: rows are added, removed and moved."""
        process_dict_updates(self._rows, update, _row)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Raise the chosen token of each row above all others in `logits`, (rows, vocabulary) in float32, in place."""
        groups: dict[Sampling, list[int]] = {}
        for index in sorted(self._rows):
            groups.setdefault(self._rows[index].sampling, []).append(index)
        for sampling, indices in groups.items():
            for start in range(0, len(indices), _ROWS):
                self._choose(logits, sampling, indices[start : start + _ROWS])
        return logits

    def _choose(self, logits: torch.Tensor, sampling: Sampling, indices: list[int]) -> None:
        rows, scores = [self._rows[index] for index in indices], logits[indices]
        if sampling.repetition_penalty != 1:
            scores = penalise_repetition(scores, _marked(rows, scores, prompts=True), sampling.repetition_penalty)
        if sampling.presence_penalty:
            scores = penalise_presence(scores, _marked(rows, scores, prompts=False), sampling.presence_penalty)
        tokens = choose_tokens(scores, sampling, torch.stack([row.draws[len(row.written)] for row in rows]))
        logits[indices, tokens] = float("inf")


def _row(parameters: SamplingParams, prompt: Sequence[int] | None, written: Sequence[int]) -> _Row | None:
    fields = (parameters.extra_args or {}).get("openvlt")
    if fields is None:
        return None
    sampling = Sampling(**{name: fields[name] for name in _FIELDS})
    draws = uniform_draws(fields["key"], fields["sample"], sampling.seed, parameters.max_tokens)
    return _Row(sampling, draws, prompt or (), written)


def _marked(rows: Sequence[_Row], logits: torch.Tensor, *, prompts: bool) -> torch.Tensor:
    """Marks the tokens of each reply, and with `prompts` those of its prompt, (rows, vocabulary)."""
    marks = torch.zeros_like(logits, dtype=torch.bool)
    for index, row in enumerate(rows):
        marks[index, [*(row.prompt if prompts else ()), *row.written]] = True
    return marks
