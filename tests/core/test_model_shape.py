"""The parameters counted from a configuration are those of the model."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from openvlt import Model, ModelShape
from openvlt.engines import image_limit, model_shape, packaged_models


def shape_of(id: str) -> ModelShape:
    shape = model_shape(Model(id=id))
    assert shape
    return shape


@pytest.mark.parametrize(
    ("id", "counts", "kv_bytes", "adapters"),
    [
        # counted on the meta device from the published configurations: all, tower, projector, text, embedding, head
        ("Qwen/Qwen2.5-VL-7B-Instruct", (8.292, 0.632, 0.045, 7.616, 0.545, 0.545), 57_344, (20.2, 40.4, 80.7, 161.5)),
        ("Qwen/Qwen2.5-VL-3B-Instruct", (3.755, 0.632, 0.037, 3.086, 0.311, 0), 36_864, (15.0, 29.9, 59.9, 119.7)),
    ],
)
def test_published_counts(id: str, counts: tuple[float, ...], kv_bytes: int, adapters: tuple[float, ...]) -> None:
    shape = shape_of(id)
    parts = (shape.parameters, shape.tower, shape.projector, shape.text, shape.embedding, shape.head)
    assert tuple(round(part / 1e9, 3) for part in parts) == counts
    assert 2 * shape.kv_width == kv_bytes
    assert tuple(round(rank * shape.adapter / 1e6, 1) for rank in (8, 16, 32, 64)) == adapters


@pytest.mark.parametrize(
    ("id", "billions"),
    [  # as their model cards say
        ("Qwen/Qwen2.5-VL-32B-Instruct", 33.5),
        ("Qwen/Qwen2.5-VL-72B-Instruct", 73.4),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 1.78),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", 7.62),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", 14.8),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", 32.8),
        ("Qwen/QwQ-32B", 32.8),
    ],
)
def test_the_table_has_the_published_sizes(id: str, billions: float) -> None:
    assert shape_of(id).parameters / 1e9 == pytest.approx(billions, rel=0.01)


def test_the_tiny_model_is_counted_to_the_parameter() -> None:
    from safetensors import safe_open

    folder = packaged_models()["tiny-vl"]
    found: Counter[str] = Counter()
    with safe_open(folder / "model.safetensors", "pt") as weights:
        for name in weights.keys():  # noqa: SIM118
            part = "projector" if "merger" in name else "tower" if "visual" in name else "text"
            found[part] += math.prod(weights.get_slice(name).get_shape())
    shape = shape_of(str(folder))
    assert (shape.tower, shape.projector, shape.text) == (found["tower"], found["projector"], found["text"])
    assert shape.parameters == sum(found.values())
    assert shape.image_tokens(64 * 64) == 16


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"hidden_size": "x"}', '{"hidden_size": 4, "num_experts": 8}', '{"text_config": null}']
)
def test_a_configuration_that_is_not_understood_has_no_shape(tmp_path: Path, text: str) -> None:
    for name in ("config.json", "processor_config.json"):
        (tmp_path / name).write_text(text)
    assert model_shape(Model(id=str(tmp_path))) is None
    assert image_limit(Model(id=str(tmp_path))) is None


@pytest.mark.parametrize(
    ("kind", "limit"), [("Qwen2VLImageProcessorFast", 1536), ("SmolVLMImageProcessor", None), (None, None)]
)
def test_an_edge_is_no_number_of_pixels(tmp_path: Path, kind: str | None, limit: int | None) -> None:
    settings = {"image_processor_type": kind, "size": {"longest_edge": 1536}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    assert image_limit(Model(id=str(tmp_path))) == limit
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**settings, "max_pixels": 999}))
    assert image_limit(Model(id=str(tmp_path))) == 999  # pixels by its name, whatever the processor


JSON = st.none() | st.booleans() | st.integers(-4, 4) | st.text(max_size=2)
SIZES = ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size", "num_attention_heads", "head_dim")


@given(st.dictionaries(st.sampled_from([*SIZES, "text_config", "vision_config", "layer_types", "patch_size"]), JSON))
@settings(max_examples=200, deadline=None)
def test_no_configuration_ends_a_plan(config: dict[str, Any]) -> None:
    ModelShape.of(config)


def test_a_model_that_is_not_here_has_no_shape() -> None:
    assert model_shape(Model(id="nobody/never-heard-of")) is None
    assert model_shape(Model(id="weights.gguf")) is None


@pytest.mark.parametrize("size", [-8, 1e300, 10**30, float("nan"), float("inf")])
@pytest.mark.parametrize("key", ["num_attention_heads", "hidden_size", "vocab_size", "num_hidden_layers"])
def test_sizes_that_no_model_has_are_no_shape(key: str, size: float) -> None:
    """Else a plan would show less memory than none, or an endless one, as the need of the backend."""
    plain = {"hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 96, "vocab_size": 99}
    config = {**plain, "num_attention_heads": 4}
    assert ModelShape.of(config)
    assert ModelShape.of({**config, key: size}) is None
