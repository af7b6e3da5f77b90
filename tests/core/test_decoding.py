"""Pictures of every mode become what a viewer shows."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import PIL.Image
import pytest
from PIL.Image import Image as Picture

from openvlt.errors import Reject
from openvlt.store import decode_image

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def encoded(picture: Picture, kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(content: bytes) -> list[Any]:
    picture = decode_image(content)
    return [picture.getpixel((x, 0)) for x in range(picture.width)]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white(mode: str) -> None:
    """A black drawing on nothing, as plotting libraries save it."""
    picture = PIL.Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    picture.putpixel((1, 0), (0, 0, 0, 255))
    picture.putpixel((2, 0), (0, 0, 0, 51))
    assert pixels(encoded(picture.convert(mode))) == [WHITE, BLACK, (204, 204, 204)]


def test_transparent_colours_of_a_palette_are_white() -> None:
    picture = PIL.Image.new("P", (2, 1))
    picture.putpalette([0, 0, 0, 200, 10, 10])
    picture.putpixel((1, 0), 1)
    for kind in ("PNG", "GIF"):
        assert pixels(encoded(picture, kind, transparency=0)) == [WHITE, (200, 10, 10)], kind


def test_a_transparent_colour_without_an_alpha_channel_is_white() -> None:
    picture = PIL.Image.new("RGB", (2, 1), (1, 2, 3))
    picture.putpixel((1, 0), (9, 9, 9))
    assert pixels(encoded(picture, transparency=(1, 2, 3))) == [WHITE, (9, 9, 9)]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_of_grey_keep_their_range(kind: str) -> None:
    picture = PIL.Image.new("I;16", (4, 1))
    for x, value in enumerate((0, 257, 32_768, 65_535)):
        picture.putpixel((x, 0), value)
    assert [red for red, _, _ in pixels(encoded(picture, kind))] == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("mode", "values", "shown"),
    [
        ("I", (0, 100, 255), [0, 100, 255]),
        ("I", (0, 32_768, 65_535), [0, 128, 255]),
        ("I", (-1000, 0, 1000), [0, 128, 255]),
        ("F", (0.0, 0.5, 1.0), [0, 128, 255]),
        ("F", (0.0, 100.0, 255.0), [0, 100, 255]),
        ("F", (5.0, 5.0, 5.0), [5, 5, 5]),
        ("F", (-1e6, 0.0, 1e6), [0, 128, 255]),
    ],
)
def test_grey_without_a_range_of_its_own(mode: str, values: tuple[float, ...], shown: list[int]) -> None:
    picture = PIL.Image.new(mode, (3, 1))
    for x, value in enumerate(values):
        picture.putpixel((x, 0), value)
    assert [red for red, _, _ in pixels(encoded(picture, "TIFF"))] == shown


def test_infinite_values_are_rejected() -> None:
    for value in (float("inf"), float("nan")):
        with pytest.raises(Reject, match="infinite"):
            decode_image(encoded(PIL.Image.new("F", (2, 2), value), "TIFF"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_its_camera_was_held(kind: str) -> None:
    picture = PIL.Image.new("RGB", (32, 16), "red")
    picture.paste((0, 0, 255), (16, 0, 32, 16))
    exif = picture.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    shown = decode_image(encoded(picture, kind, exif=exif))
    assert shown.size == (16, 32)
    (top, _, _), (bottom, _, _) = shown.getpixel((8, 4)), shown.getpixel((8, 28))  # type: ignore[misc]
    assert top > 200 and bottom < 50


def test_damaged_exif_data_turn_nothing() -> None:
    picture = PIL.Image.new("RGB", (4, 2), "red")
    assert decode_image(encoded(picture, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")).size == (4, 2)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "PNG"), ("L", "PNG"), ("P", "PNG"), ("RGB", "PNG"), ("RGBX", "TIFF"), ("CMYK", "JPEG"), ("CMYK", "TIFF"),
        ("YCbCr", "TIFF"), ("LAB", "TIFF"), ("PA", "TIFF"), ("RGBA", "WEBP"), ("RGBA", "BMP"), ("RGBA", "GIF"),
    ],
)  # fmt: skip
def test_every_mode_keeps_its_colours(mode: str, kind: str) -> None:
    red = PIL.Image.new("RGB", (16, 16), (250, 5, 5))
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        picture = ImageCms.profileToProfile(red, *profiles, outputMode="LAB")
    else:
        picture = red.convert("P").convert("PA") if mode == "PA" else red.convert(mode)
    assert picture is not None
    shown = pixels(encoded(picture, kind))[0]
    expected = red.convert(mode).convert("RGB").getpixel((0, 0)) if mode in ("1", "L", "P") else (250, 5, 5)
    assert max(abs(a - b) for a, b in zip(shown, expected, strict=True)) < 12, shown  # type: ignore[arg-type]
