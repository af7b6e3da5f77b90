"""Random models of the published shapes of Qwen2.5-VL, made on the device: no hub, no weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import openvlt_tasks

TINY = Path(openvlt_tasks.__path__[0], "models", "tiny_vl")
_TOWER = {
    "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "patch_size": 14, "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31], "initializer_range": 0.02,
}  # fmt: skip
_ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
SHAPES: dict[str, dict[str, Any]] = {
    "3b": {
        "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
        "num_key_value_heads": 2, "vocab_size": 151936,
    },
    "7b": {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "vocab_size": 152064,
    },
}  # fmt: skip
"""Of the language model, from the ``config.json`` of Qwen2.5-VL-3B-Instruct and Qwen2.5-VL-7B-Instruct."""


def network(size: str) -> Any:
    """A model of a shape, with random weights in bf16 on the current device."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(TINY)
    for name, value in SHAPES[size].items():
        setattr(config.text_config, name, value)
    text = config.text_config
    text.layer_types = ["full_attention"] * text.num_hidden_layers
    text.rope_parameters, text.max_position_embeddings, text.initializer_range = _ROPE, 128_000, 0.02
    config.tie_word_embeddings = text.tie_word_embeddings = size == "3b"
    for name, value in {**_TOWER, "out_hidden_size": text.hidden_size}.items():
        setattr(config.vision_config, name, value)
    torch.manual_seed(0)
    return AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)


def make(folder: Path, size: str) -> Path:
    """Save a model of a shape with the tokenizer and processor of the tiny model; ``tiny`` is that model itself."""
    import torch

    if size == "tiny":
        return Path(shutil.copytree(TINY, folder, dirs_exist_ok=True))
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        network(size).save_pretrained(folder, max_shard_size="4GB")
    torch.cuda.empty_cache()
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        shutil.copy(TINY / name, folder / name)
    processor = (TINY / "processor_config.json").read_text()
    (folder / "processor_config.json").write_text(processor.replace('"patch_size": 8', '"patch_size": 14'))
    return folder
