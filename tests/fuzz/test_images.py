"""Damaged images of every format are stored and can be decoded, or are rejected; nothing else happens."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import PIL.Image
import pytest
from entrance import attempt, fuzzed
from hypothesis import strategies as st
from odd import damaged

from openvlt.errors import Reject
from openvlt.records import Image
from openvlt.store import ImageStore, image_format


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = BytesIO()
    PIL.Image.effect_noise((23, 17), 60).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def animated(kind: str) -> bytes:
    return encoded(kind, save_all=True, append_images=[PIL.Image.new("RGB", (23, 17), "red")])


VALID = [
    *(encoded("png", mode) for mode in ("1", "L", "P", "RGB", "RGBA", "I;16", "LA")),
    *(encoded("jpeg", mode) for mode in ("L", "RGB", "CMYK")),
    encoded("jpeg", progressive=True),
    encoded("mpo", save_all=True, append_images=[PIL.Image.new("RGB", (23, 17))]),
    *map(animated, ("gif", "webp", "png", "tiff")),
    encoded("webp", lossless=True),
    *(encoded("tiff", compression=each) for each in ("raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits")),
    *(encoded("tiff", mode) for mode in ("1", "F", "I", "LAB", "CMYK", "YCbCr", "I;16")),
    *(encoded("bmp", mode) for mode in ("1", "P", "RGB", "RGBA")),
    encoded("gif", "P"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    return ImageStore(tmp_path_factory.mktemp("images"))


def outcome(store: ImageStore, content: bytes) -> str:
    try:
        image = store.add(Image.data(content))
    except Reject as reject:
        return reject.reason
    picture = store.read(image)
    assert (picture.mode, picture.size) == ("RGB", (image.width, image.height))
    assert image_format(store.content(image))
    return ""


def test_valid_images_are_read(store: ImageStore) -> None:
    assert {outcome(store, content) for content in VALID} <= {"", "image unreadable"}
    assert sum(outcome(store, content) == "" for content in VALID) >= len(VALID) - 1


@fuzzed(400, content=st.sampled_from(VALID).flatmap(damaged) | st.binary(max_size=200))
def test_damaged_images_are_rejected_or_read(store: ImageStore, content: bytes) -> None:
    attempt("images", lambda: outcome(store, content))
