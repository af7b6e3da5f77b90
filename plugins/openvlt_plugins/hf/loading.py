"""Loads a model and its tokenizer or processor from safetensors or a local GGUF file, without running its code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from openvlt import Model, PlainText, UsageError, first_line, limit_pixels, visual_tokens
from openvlt_plugins.hf.attention import use_grouped_attention
from openvlt_plugins.hf.backend import HfBackend
from openvlt_plugins.hf.linear import pack


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to run.

    Attributes:
        network: the transformers model, in eval mode.
        tokenizer: of the model.
        processor: turns text and images into inputs; None for a text-only model.
        plain: breaks the control tokens of the tokenizer in foreign text.
        context: tokens of prompt and reply together.
        eos: ids that end a reply.
        suppressed: ids that a reply never contains.
    """

    network: Any
    tokenizer: Any
    processor: Any
    plain: PlainText
    context: int
    eos: frozenset[int]
    suppressed: tuple[int, ...]


def load(model: Model) -> Loaded:
    """Load a model.

    Raises:
        UsageError: there is no such model, it has no safetensors weights or no chat template, or it needs its own code.
    """
    try:
        return _load_gguf(model) if model.id.endswith(".gguf") else _load_safetensors(model)
    except (ImportError, UsageError):
        raise
    except Exception as error:  # damaged files raise whatever their parser raises, from KeyError to RuntimeError
        raise UsageError(
            f"The model '{model.id}' cannot be loaded: {first_line(error)}.",
            "Give a hub id or a local folder with config.json, tokenizer and safetensors weights, or a .gguf file.",
        ) from error


def _load_gguf(model: Model) -> Loaded:
    path = Path(model.id)
    where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    tokenizer = AutoTokenizer.from_pretrained(**where, trust_remote_code=False)
    dtype = _dtype(model, default=torch.float32)
    network = AutoModelForCausalLM.from_pretrained(**where, dtype=dtype, trust_remote_code=False, use_safetensors=True)
    return _ready(model, network, tokenizer, None)


def _load_safetensors(model: Model) -> Loaded:
    where = {"pretrained_model_name_or_path": model.id, "revision": model.revision}
    config = AutoConfig.from_pretrained(**where, trust_remote_code=False)
    HfBackend().check(config.to_dict())
    placed = {"device_map": "auto"} if torch.cuda.is_available() else {}
    weights = {**where, **placed, "dtype": _dtype(model, default="auto")}
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        network = AutoModelForCausalLM.from_pretrained(**weights, trust_remote_code=False, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(**where, trust_remote_code=False)
        if model.pixels is not None:
            limit_pixels(tokenizer, config, model.pixels)
        return _ready(model, network, tokenizer, None)
    processor = AutoProcessor.from_pretrained(**where, trust_remote_code=False)
    network = AutoModelForImageTextToText.from_pretrained(**weights, trust_remote_code=False, use_safetensors=True)
    if model.pixels is not None:
        limit_pixels(processor, network.config, model.pixels)
    return _ready(model, network, processor.tokenizer, processor)


def _dtype(model: Model, *, default: Any) -> Any:
    if model.dtype == "auto":
        return default
    if model.dtype not in {"float32", "bfloat16", "float16"}:
        raise ValueError(f"dtype '{model.dtype}' is not one of auto, float32, bfloat16, float16")
    return getattr(torch, model.dtype)


def _ready(model: Model, network: Any, tokenizer: Any, processor: Any) -> Loaded:
    if not (processor or tokenizer).chat_template:
        raise ValueError("it has no chat template")
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise ValueError("it has no tokenizer")  # transformers makes one with no words
    network.eval()
    use_grouped_attention(network)
    pack(network)
    text = network.config.get_text_config()
    eos = network.generation_config.eos_token_id
    if eos is None:
        eos = text.eos_token_id if text.eos_token_id is not None else tokenizer.eos_token_id
    limit = text.max_position_embeddings
    return Loaded(
        network=network,
        tokenizer=tokenizer,
        processor=processor,
        plain=PlainText(tokenizer),
        context=min(model.context or limit, limit),
        eos=frozenset([eos] if isinstance(eos, int) else eos or []),
        suppressed=tuple(visual_tokens(network.config, text.vocab_size)),
    )
