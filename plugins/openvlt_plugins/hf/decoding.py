"""A batch of samples that are decoded together, and whose finished rows are reused."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch.nn.functional import pad

from openvlt import Sampling, choose_tokens, penalise_presence, penalise_repetition
from openvlt_plugins.hf.attention import KeyValues
from openvlt_plugins.hf.prompts import Prompt


@dataclass
class Sample:
    """One sample in decoding.

    Attributes:
        request: index of its request in the chunk.
        index: its index among the samples of the request.
        prompt: its prompt.
        draws: its random numbers, one for each possible token, (tokens,) in float64.
        tokens: the reply so far.
        text: the reply, if a stop string ended it.
        finished: the reason it ended; empty until then.
    """

    request: int
    index: int
    prompt: Prompt
    draws: torch.Tensor
    tokens: list[int] = field(default_factory=list)
    text: str | None = None
    finished: str = ""


@dataclass
class Batch:
    """Samples that are decoded together.

    Rows are padded to the left, so that all end at the same position of the cache, whatever their length. One step then
    writes the same position for every row, and a new sample can replace a finished one in the middle of decoding.

    Attributes:
        samples: one per row.
        cache: keys and values of all tokens so far.
        mask: true at a row's own tokens, (rows, positions); without the tokens that all rows share.
        positions: rotary position of each row's last token, (..., rows, 1).
        logits: for each row's next token, (rows, vocabulary) in float32.
        seen: marks the tokens of each prompt and reply, (rows, vocabulary); None without a repetition penalty.
        written: marks those of each reply; None without a presence penalty.
    """

    samples: list[Sample]
    cache: KeyValues
    mask: torch.Tensor
    positions: torch.Tensor
    logits: torch.Tensor
    seen: torch.Tensor | None
    written: torch.Tensor | None

    def choose(self, sampling: Sampling) -> torch.Tensor:
        """The next token of each row, (rows,); meaningless for a finished row."""
        logits = self.logits
        if self.seen is not None:
            logits = penalise_repetition(logits, self.seen, sampling.repetition_penalty)
        if self.written is not None:
            logits = penalise_presence(logits, self.written, sampling.presence_penalty)
        draws = [each.draws[-1 if each.finished else len(each.tokens)] for each in self.samples]
        tokens = choose_tokens(logits, sampling, torch.stack(draws).to(logits.device))
        for marks in (self.seen, self.written):
            if marks is not None:
                marks.scatter_(1, tokens.unsqueeze(1), True)
        return tokens

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all other rows."""
        self.samples = [self.samples[row] for row in rows.tolist()]
        self.cache.select(rows)
        self.mask, self.positions, self.logits = self.mask[rows], self.positions[..., rows, :], self.logits[rows]
        self.seen = self.seen[rows] if self.seen is not None else None
        self.written = self.written[rows] if self.written is not None else None

    def replace(self, rows: torch.Tensor, other: Batch) -> None:
        """Replace `rows` by the rows of `other`, then drop leading positions that no row uses any more."""
        for row, sample in zip(rows.tolist(), other.samples, strict=True):
            self.samples[row] = sample
        self.cache.replace(rows, other.cache)
        missing = other.mask.shape[1] - self.mask.shape[1]
        self.mask = pad(self.mask, (max(missing, 0), 0))
        self.mask[rows] = pad(other.mask, (max(-missing, 0), 0))
        self.positions[..., rows, :] = other.positions
        self.logits[rows] = other.logits
        for marks, new in ((self.seen, other.seen), (self.written, other.written)):
            if marks is not None and new is not None:
                marks[rows] = new
        unused = int(self.mask.any(0).int().argmax())
        self.cache.drop(unused)
        self.mask = self.mask[:, unused:]
