"""Limits of pixels in the terms of each family's processor: every image stays within them, or they are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image as Pictures

from families import FAMILIES
from openvlt import Model, UsageError, limit_pixels, within_pixels
from openvlt.engines import check_pixels


def pixels_of(images: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Pixels after resizing, without an overview; and by how many the sides were rounded at most."""
    made = images([Pictures.new("RGB", size)], return_tensors="pt")
    values = made["pixel_values"]
    if "image_grid_thw" in made:
        patch = images.patch_size
        height, width = (int(side) * patch for side in made["image_grid_thw"][0][1:])
        return height * width, (height + width) * patch * images.merge_size
    if "image_position_ids" in made:
        return int((made["image_position_ids"][0][:, 0] >= 0).sum()) * images.patch_size**2, 0
    tiles = values.reshape(-1, *values.shape[-3:])
    count = max(1, len(tiles) - 1)
    return count * tiles.shape[-1] * tiles.shape[-2], 0


@pytest.mark.parametrize("name", FAMILIES)
def test_every_image_is_within_the_limits(family: Callable[[str], Path], name: str) -> None:
    from transformers import AutoProcessor

    own = AutoProcessor.from_pretrained(family(name)).image_processor
    kept = []

    @settings(max_examples=60)
    @given(st.integers(8, 200), st.integers(8, 200), st.integers(1, 30_000), st.floats(1, 20))
    def check(width: int, height: int, low: int, ratio: float) -> None:
        high, images = int(low * ratio), deepcopy(own)
        try:
            limit_pixels(SimpleNamespace(image_processor=images), object(), (low, high))
        except UsageError:
            return
        found, rounded = pixels_of(images, (width, height))
        if high >= 32 * 32:  # the smallest image of Qwen-VL, of a patch
            kept.append(found)
            assert low - rounded <= found <= high + rounded

    check()
    assert len(kept) > 5


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_answers_within_limits_of_its_own(family: Callable[[str], Path], name: str) -> None:
    """What the network has of them (LLaVA's grid) changes too, or it could not place the image."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(family(name))
    network = AutoModelForImageTextToText.from_pretrained(family(name))
    limit_pixels(processor, network.config, LIMITS.get(name, (1024, 4 * 1024)))
    turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}]
    text = processor.apply_chat_template(turns)
    inputs = processor(text=[text], images=[Pictures.new("RGB", (200, 90))], return_tensors="pt")
    assert network.generate(**inputs, max_new_tokens=2, do_sample=False).shape[1] > inputs["input_ids"].shape[1]


LIMITS = {"Gemma 4": (1024, 64 * 140), "Gemma 3": (1000, 1100)}


@pytest.mark.parametrize(
    ("settings", "pixels", "told"),
    [
        ({"image_processor_type": "Qwen2VLImageProcessorFast"}, (4, 2), "the first is the larger"),
        (
            {"image_processor_type": "Gemma3ImageProcessor", "size": {"height": 896, "width": 896}},
            (200_704, 401_408),
            r"200,704 to 401,408 pixels .* Gemma3ImageProcessor makes every image 896 x 896",
        ),
        (
            {"image_processor_type": "GotOcr2ImageProcessorFast", "size": {"height": 448, "width": 448}},
            (3136, 200_000),
            "makes tiles of 200,704 pixels",
        ),
        ({"image_processor_type": "FuyuImageProcessor"}, (1, 2), "FuyuImageProcessor has no limits that are known"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused_before_any_work(
    settings: dict[str, Any], pixels: tuple[int, int], told: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=told):
        within_pixels(settings, pixels)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(UsageError, match=told):
        check_pixels(Model(id=str(tmp_path), pixels=pixels))


def test_settings_that_are_not_complete_are_checked_when_they_are() -> None:
    with pytest.raises(KeyError):
        within_pixels({"image_processor_type": "SmolVLMImageProcessor"}, (1, 2))


def test_limits_on_a_model_of_text_are_refused() -> None:
    with pytest.raises(UsageError, match="reads text only"):
        limit_pixels(object(), object(), (1, 2))
