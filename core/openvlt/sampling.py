"""Chooses tokens so that a sample depends only on its request's key and its index.

Backends that sample with these functions draw the same replies from the same logits.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from openvlt.records import Sampling

if TYPE_CHECKING:
    import torch

_CANDIDATES = 256  # tokens that are sorted first; they nearly always contain the nucleus


def uniform_draws(key: str, sample: int, seed: int, length: int) -> torch.Tensor:
    """One number in [0, 1) for each position of a sample, (length,) in float64; a longer array begins with a shorter.

    Drawn from Philox (Salmon et al., SC 2011) with a key derived from the seed, the request and the sample.
    """
    import numpy as np
    import torch

    digest = sha256(f"{seed}:{key}:{sample}".encode()).digest()
    return torch.from_numpy(np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16]))).random(length))


def choose_tokens(logits: torch.Tensor, sampling: Sampling, draws: torch.Tensor) -> torch.Tensor:
    """The next token of each row, (rows,).

    Temperature, then top-k, then top-p, then the inverse of the cumulative distribution at the row's draw. The
    distribution runs in the order of token ids, so that rounding moves no token past another.

    Args:
        logits: (rows, vocabulary) in float32.
        sampling: how to decode.
        draws: one number in [0, 1) for each row, (rows,) in float64.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    logits = logits / sampling.temperature
    if not sampling.top_k and sampling.top_p >= 1:
        return _draw(logits.softmax(-1), draws)
    total = logits.logsumexp(-1, keepdim=True)
    values, ids = logits.topk(min(sampling.top_k or _CANDIDATES, logits.shape[-1]))
    if sampling.top_k:
        total = values.logsumexp(-1, keepdim=True)
    tokens = _draw_among(values - total, ids, sampling.top_p, draws)
    if not sampling.top_k:
        wide = (values - total).exp().sum(-1) < sampling.top_p
        if wide.any():
            # The sorted candidates do not contain the whole nucleus of these rows.
            values, ids = logits[wide].sort(descending=True, stable=True)
            tokens[wide] = _draw_among(values - total[wide], ids, sampling.top_p, draws[wide])
    return tokens


def _draw_among(logarithms: torch.Tensor, ids: torch.Tensor, top_p: float, draws: torch.Tensor) -> torch.Tensor:
    """Draw from the nucleus of candidates, (rows, candidates), whose most likely ones come first."""
    probabilities = logarithms.exp()
    before = probabilities.cumsum(-1) - probabilities
    probabilities = probabilities.where(before < top_p, 0.0)
    ids, order = ids.sort(-1)
    return ids.gather(1, _draw(probabilities.gather(1, order), draws).unsqueeze(1)).squeeze(1)


def _draw(probabilities: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """The index in each row of (rows, candidates) at which the cumulative distribution passes the row's draw."""
    import torch

    cumulative = probabilities.double().cumsum(-1)
    indices = torch.searchsorted(cumulative, (draws * cumulative[:, -1]).unsqueeze(1), right=True)
    return indices.clamp(max=cumulative.shape[1] - 1).squeeze(1)


def penalise_presence(logits: torch.Tensor, written: torch.Tensor, penalty: float) -> torch.Tensor:
    """Subtract `penalty` from the tokens marked in `written`, (rows, vocabulary), as OpenAI's API does."""
    return logits - penalty * written


def penalise_repetition(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Make the tokens marked in `seen`, (rows, vocabulary), less likely (Keskar et al., arXiv 1909.05858, 4.1)."""
    return (logits / penalty).where(logits > 0, logits * penalty).where(seen, logits)
