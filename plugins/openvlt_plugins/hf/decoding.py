"""The sequences that are written together, a row each, and how others take the rows of those that ended."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch.nn.functional import pad

from openvlt import Sampling, choose_tokens, penalise_repetition
from openvlt_plugins.hf.attention import KeyValues
from openvlt_plugins.hf.prompts import Prompt


@dataclass
class Written:
    """One sample being written.

    Attributes:
        request: place of its request in the chunk.
        sample: its index among the samples of the request.
        prompt: what it answers.
        draws: its random numbers, one for each token it may have, (tokens,) in float64.
        tokens: the reply so far.
        text: the reply once it ended by a stop string.
        finished: why it ended, empty while it has not.
    """

    request: int
    sample: int
    prompt: Prompt
    draws: torch.Tensor
    tokens: list[int] = field(default_factory=list)
    text: str | None = None
    finished: str = ""


@dataclass
class Batch:
    """Sequences that are written together. All end at the same position of the cache, whatever their length.

    Attributes:
        sequences: one a row.
        cache: keys and values of what was read.
        mask: true where a row's own tokens lie, (rows, positions); tokens that all share are left out.
        positions: rotary position of each row's last token, (..., rows, 1).
        logits: for each row's next token, (rows, vocabulary) in float32.
        seen: marks the tokens of each prompt and reply, (rows, vocabulary); None where no penalty counts them.
    """

    sequences: list[Written]
    cache: KeyValues
    mask: torch.Tensor
    positions: torch.Tensor
    logits: torch.Tensor
    seen: torch.Tensor | None

    def choose(self, sampling: Sampling) -> torch.Tensor:
        """The next token of each row, (rows,); that of a row which ended means nothing."""
        logits = self.logits
        if self.seen is not None:
            logits = penalise_repetition(logits, self.seen, sampling.repetition_penalty)
        draws = [each.draws[-1 if each.finished else len(each.tokens)] for each in self.sequences]
        tokens = choose_tokens(logits, sampling, torch.stack(draws).to(logits.device))
        if self.seen is not None:
            self.seen.scatter_(1, tokens.unsqueeze(1), True)
        return tokens

    def keep(self, rows: torch.Tensor) -> None:
        """Leave out all other rows."""
        self.sequences = [self.sequences[row] for row in rows.tolist()]
        self.cache.select(rows)
        self.mask, self.positions, self.logits = self.mask[rows], self.positions[..., rows, :], self.logits[rows]
        self.seen = self.seen[rows] if self.seen is not None else None

    def replace(self, rows: torch.Tensor, other: Batch) -> None:
        """Give `rows` to the sequences of `other`, as many."""
        for row, sequence in zip(rows.tolist(), other.sequences, strict=True):
            self.sequences[row] = sequence
        self.cache.replace(rows, other.cache)
        missing = other.mask.shape[1] - self.mask.shape[1]
        self.mask = pad(self.mask, (max(missing, 0), 0))
        self.mask[rows] = pad(other.mask, (max(-missing, 0), 0))
        self.positions[..., rows, :] = other.positions
        self.logits[rows] = other.logits
        if self.seen is not None and other.seen is not None:
            self.seen[rows] = other.seen
        unused = int(self.mask.any(0).int().argmax())
        self.cache.drop(unused)
        self.mask = self.mask[:, unused:]
