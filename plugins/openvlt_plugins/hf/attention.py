"""A key-value cache for batched decoding, and the attention that reads it without copies.

transformers repeats keys and values for every group of query heads and concatenates them again at every step, which
costs more than the model itself at a few hundred prompt tokens. Here a step writes into preallocated memory; the query
heads of a group attend to their shared key head as if they were positions of one head; and a prefix that all sequences
share is stored, and read, once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from openvlt import UsageError

_NAME = "openvlt_grouped"
_ROOM = 128  # positions preallocated at a time


class KeyValues(Cache):  # type: ignore[misc]
    """Keys and values of a batch.

    Args:
        layers: number of layers.
        shared: keys and values of the tokens that all sequences of the batch begin with, stored as one row; or None.
    """

    def __init__(self, layers: int, shared: KeyValues | None = None) -> None:
        self.shared = shared
        offset = shared.get_seq_length() if shared else 0
        super().__init__(layers=[_Layer(offset) for _ in range(layers)])

    def select(self, rows: torch.Tensor) -> None:
        """Keep these rows of the batch, in this order; a row may be repeated."""
        for layer in self.layers:
            layer.select(rows)

    def replace(self, rows: torch.Tensor, other: KeyValues) -> None:
        """Overwrite `rows` with the rows of `other`, aligned at the last position."""
        for layer, new in zip(self.layers, other.layers, strict=True):
            layer.replace(rows, new)

    def drop(self, count: int) -> None:
        """Drop the first `count` positions after the shared ones."""
        for layer in self.layers:
            layer.drop(count)


class _Layer(CacheLayerMixin):  # type: ignore[misc]
    """One layer's keys and values, (rows, key heads, positions, head size), with preallocated positions."""

    is_sliding = False

    def __init__(self, offset: int) -> None:
        super().__init__()
        self.offset = offset
        self.length = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append, and return all except the shared ones."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self.length = self.length, self.length + key_states.shape[2]
        if self.length > self.keys.shape[2]:
            self.keys, self.values = self._grown(self.keys, start), self._grown(self.values, start)
        self.keys[:, :, start : self.length] = key_states
        self.values[:, :, start : self.length] = value_states
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def _grown(self, old: torch.Tensor, used: int) -> torch.Tensor:
        rows, heads, _, size = old.shape
        new = old.new_empty(rows, heads, self.length + _ROOM, size)
        new[:, :, :used] = old[:, :, :used]
        return new

    def select(self, rows: torch.Tensor) -> None:
        self.keys, self.values = self.keys.index_select(0, rows), self.values.index_select(0, rows)

    def replace(self, rows: torch.Tensor, new: _Layer) -> None:
        if (missing := new.length - self.length) > 0:
            self.keys, self.values = pad(self.keys, (0, 0, missing, 0)), pad(self.values, (0, 0, missing, 0))
            self.length = new.length
        own = slice(self.length - new.length, self.length)
        self.keys[rows, :, own] = new.keys[:, :, : new.length]
        self.values[rows, :, own] = new.values[:, :, : new.length]

    def drop(self, count: int) -> None:
        self.keys, self.values = self.keys[:, :, count:], self.values[:, :, count:]
        self.length -= count

    def get_seq_length(self) -> int:
        return self.offset + self.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        return -1


def use_grouped_attention(network: Any) -> None:
    """Make the network's language model use this module's attention.

    Raises:
        UsageError: the network does not support other attention implementations, or has a state beside keys and values.
    """
    if not network._supports_attention_backend or getattr(network, "_is_stateful", False):
        raise UsageError(
            f"The backend hf cannot run {type(network).__name__}, which is not a plain transformer decoder.",
            "Use the backend vllm.",
        )
    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, sdpa_mask)
    nested = network.config.get_text_config() is not network.config
    network.set_attn_implementation({"text_config": _NAME} if nested else _NAME)


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    shared: KeyValues | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention for `query`, (rows, heads, positions, head size), with the signature transformers expects."""
    rows, heads, positions, size = query.shape
    first = shared.layers[module.layer_idx] if shared else None
    if positions > 1:
        if first is not None:
            key = torch.cat([first.keys[:, :, : first.length].expand(rows, -1, -1, -1), key], 2)
            value = torch.cat([first.values[:, :, : first.length].expand(rows, -1, -1, -1), value], 2)
        output: torch.Tensor = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )[0]
        return output, None
    grouped = query.reshape(rows, key.shape[1], -1, size)
    if first is None:
        output = scaled_dot_product_attention(grouped, key, value, attn_mask=attention_mask, scale=scaling)
    else:
        output = _attend_both(grouped, first, key, value, attention_mask, scaling or size**-0.5)
    return output.reshape(rows, 1, heads, size), None


def _attend_both(
    query: torch.Tensor,
    first: _Layer,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
) -> torch.Tensor:
    """Attention over the shared positions, in one product for the whole batch, and over each row's own."""
    rows, heads, groups, size = query.shape
    query = query * scale
    flat = query.transpose(0, 1).reshape(heads, rows * groups, size)
    to_shared = flat @ first.keys[0, :, : first.length].transpose(1, 2)
    to_shared = to_shared.view(heads, rows, groups, -1).transpose(0, 1)
    to_own = query @ key.transpose(2, 3)
    if mask is not None:
        to_own = to_own.masked_fill(~mask[..., first.length :], float("-inf"))
    weights = torch.cat([to_shared, to_own], -1).softmax(-1, dtype=torch.float32).to(query.dtype)
    to_shared, to_own = weights[..., : first.length], weights[..., first.length :]
    flat = to_shared.transpose(0, 1).reshape(heads, rows * groups, -1) @ first.values[0, :, : first.length]
    return flat.view(heads, rows, groups, size).transpose(0, 1) + to_own @ value
