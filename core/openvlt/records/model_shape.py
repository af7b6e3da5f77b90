"""How large a model is and of what parts it consists, as its ``config.json`` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BIASED = ("qwen2", "qwen2_vl", "qwen2_5_vl")
"""Families whose queries, keys and values have a bias though their configuration does not say so."""
_LARGEST = 1e15
"""Beyond any size of a model: a configuration that tells it is damaged, as one with a size below zero."""
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The sizes of a model.

    Attributes:
        tower: parameters of the vision tower; 0 for a text model.
        projector: parameters of what maps the tower's output to the language model.
        text: parameters of the language model, with its embedding and head.
        embedding: parameters of the embedding.
        head: parameters of the output head; 0 if it is the embedding.
        layers: of the language model.
        hidden: width of the language model.
        intermediate: width of its feed-forward layers.
        vocabulary: number of tokens.
        kv_width: numbers that a token has in the cache of keys and values.
        adapter: parameters of LoRA adapters of rank 1 on all linear layers of the language model but its head.
        tower_layers: of the vision tower.
        tower_hidden: width of the vision tower.
        patch: pixels (width x height) that a token of the tower sees; 0 for a text model.
        merge: tokens of the tower that become one of the language model.
    """

    tower: int
    projector: int
    text: int
    embedding: int
    head: int
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    kv_width: int
    adapter: int
    tower_layers: int = 0
    tower_hidden: int = 0
    patch: int = 0
    merge: int = 1

    @property
    def parameters(self) -> int:
        return self.tower + self.projector + self.text

    @property
    def layer(self) -> float:
        """Parameters of one layer of the language model."""
        return (self.text - self.embedding - self.head) / self.layers

    def image_tokens(self, pixels: float) -> int:
        """Tokens of the language model that an image becomes."""
        return round(pixels / (self.patch * self.merge)) if self.patch else 0

    def flop(self, tokens: float, image: float = 0) -> float:
        """FLOP of a pass forward over so many tokens, `image` of them an image's, which the tower reads too.

        Two a parameter and token (arXiv 2001.08361, table 1); to look up an embedding costs none.
        """
        multiplied = self.text - (self.embedding if self.head else 0)
        return 2.0 * (multiplied * tokens + self.tower * image * self.merge)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> ModelShape | None:
        """Count what a ``config.json`` describes.

        The language model is a decoder with gated feed-forward layers (Llama, Qwen, Gemma, Mistral), counted exactly
        for the Qwen2 and Llama families; the tower is a vision transformer, counted exactly for Qwen2.5-VL, else
        without what differs between families (positions, norms), which is below one in a hundred.

        Returns:
            None for a mixture of experts, and for a configuration without these sizes, or with sizes that no model has.
        """
        try:
            text = {**config, **config.get("text_config", {})}
            text["tie_word_embeddings"] = {**text, **config}.get("tie_word_embeddings")  # of the whole model
            if any(text.get(key) for key in _EXPERTS):
                return None
            found = {**_language(text), **_vision(config.get("vision_config"), text["hidden_size"])}
            return cls(**found) if all(0 <= size < _LARGEST for size in found.values()) else None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None


def _language(text: Mapping[str, Any]) -> dict[str, int]:
    tied = bool(text["tie_word_embeddings"])
    hidden, layers, wide, words = (
        text[key] for key in ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size")
    )
    heads = text["num_attention_heads"]
    if not 0 < heads <= hidden:
        raise ValueError("no model has so many heads")
    one = text.get("head_dim") or hidden // heads
    query, key = heads * one, text.get("num_key_value_heads", heads) * one
    biased = text.get("attention_bias", str(text.get("model_type", "")).removesuffix("_text") in _BIASED)
    layer = 2 * hidden * (query + key) + (query + 2 * key) * bool(biased) + 3 * hidden * wide + 2 * hidden
    caching = sum(each != "linear_attention" for each in text.get("layer_types") or ["full_attention"] * layers)
    embedding = words * hidden
    return {
        "text": layers * layer + hidden + embedding * (1 if tied else 2),
        "embedding": embedding,
        "head": 0 if tied else embedding,
        "layers": layers,
        "hidden": hidden,
        "intermediate": wide,
        "vocabulary": words,
        "kv_width": 2 * caching * key,
        "adapter": layers * (2 * (hidden + query) + 2 * (hidden + key) + 3 * (hidden + wide)),
    }


def _vision(vision: Mapping[str, Any] | None, hidden: int) -> dict[str, int]:
    if not vision:
        return {"tower": 0, "projector": 0}
    wide = vision.get("embed_dim") or vision["hidden_size"]
    layers = vision.get("depth") or vision["num_hidden_layers"]
    inner = vision.get("intermediate_size") or int(wide * vision.get("mlp_ratio", 4))
    side = vision["patch_size"]
    patch = side**2 if isinstance(side, int) else side[0] * side[1]
    gated = str(vision.get("model_type", "")).startswith(("qwen2_5_vl", "glm4v")) or vision.get("hidden_act") == "silu"
    feed = 3 * wide * inner + 2 * inner + wide if gated else 2 * wide * inner + inner + wide
    block = 4 * wide**2 + 4 * wide + feed + (2 if gated else 4) * wide
    channels = vision.get("in_chans") or vision.get("in_channels") or vision.get("num_channels", 3)
    merge = vision.get("spatial_merge_size", 1) ** 2
    out = vision.get("out_hidden_size") or hidden
    merged = wide * merge
    return {
        "tower": layers * block + channels * vision.get("temporal_patch_size", 1) * patch * wide,
        "projector": merged**2 + merged + merged * out + out + wide,
        "tower_layers": layers,
        "tower_hidden": wide,
        "patch": patch,
        "merge": merge,
    }
