"""From the bytes of a picture to RGB, by one rule for engines, trainings and whatever else looks at it."""

from __future__ import annotations

import math
import warnings
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING

from openvlt.errors import Reject

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What is decoded, whatever else Pillow can: the formats of data sets. EPS would start Ghostscript, WMF a Windows
renderer; FITS, BUFR, HDF5 and the like call handlers that other packages register; and every further decoder is one
more that a stranger's bytes reach."""
MAX_PIXELS = 100_000_000
MAX_RATIO = 200
"""Of the longer side to the shorter one; processors refuse more (``smart_resize`` of Qwen2-VL)."""
BACKGROUND = "white"
"""Behind what is transparent: figures are drawn in black more often than in white."""


def image_format(content: bytes) -> str:
    """The format of a stored image, such as ``png``."""
    with _opened(content) as picture:
        return str(picture.format).lower()


def decode_image(content: bytes) -> Picture:
    """Decode an image to RGB as a viewer shows it.

    It is turned as its EXIF data say, what is transparent is on `BACKGROUND`, 16-bit grey keeps its range, and of an
    animation the first frame counts.

    Raises:
        Reject: it is damaged, of a format that is not read, or too large to decode safely.
    """
    from PIL.Image import DecompressionBombError

    try:
        with _opened(content) as picture:
            _require_size(*picture.size)  # that the header promises, before any pixel is decoded
            return _shown(picture)
    except Reject:
        raise
    except DecompressionBombError as error:
        raise Reject(f"image over {MAX_PIXELS // 10**6} megapixels") from error
    except Exception as error:  # decoders raise whatever the damage leads to: struct.error, KeyError, MemoryError, ...
        raise Reject("image unreadable") from error


def _opened(content: bytes) -> ImageFile:
    import PIL.Image

    # About pictures below `MAX_PIXELS`, and damage that does not matter. `catch_warnings` is not safe in threads.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return PIL.Image.open(BytesIO(content), formats=FORMATS)


def _require_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Reject(f"image over {MAX_PIXELS // 10**6} megapixels")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise Reject(f"image over {MAX_RATIO} times as long as wide")


def _shown(picture: Picture) -> Picture:
    from PIL import Image, ImageCms, ImageOps

    picture.load()
    with suppress(Exception):  # damaged EXIF data raise anything
        ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode[0] in "IF":
        return _grey(picture).convert("RGB")
    if picture.mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, lab, rgb, outputMode="RGB") or picture
    if picture.has_transparency_data:
        canvas = Image.new("RGBA", picture.size, BACKGROUND)
        canvas.alpha_composite(picture.convert("RGBA"))
        picture = canvas
    return picture if picture.mode == "RGB" else picture.convert("RGB")  # which would copy it


def _grey(picture: Picture) -> Picture:
    """Grey of more than 8 bits, whose `convert` would show everything above 255 as white.

    16 bits are scaled by their range. Integers of 32 bits and floats have no range of their own: 0 to 1, to 255 and to
    65,535 count as one, and others are stretched from their lowest to their highest value.
    """
    wide = picture.convert("I") if picture.mode.startswith("I;16") else picture
    low, high = (float(bound) for bound in wide.getextrema())  # type: ignore[arg-type]
    if not math.isfinite(high - low):
        raise Reject("image has infinite values")
    if picture.mode == "F" and low >= 0 and high <= 1:
        low, high = 0, 1
    elif picture.mode in "IF" and low >= 0 and high <= 255:
        low, high = 0, 255
    elif low >= 0 and high <= 65_535:
        low, high = 0, 65_535
    scale = 255 / ((high - low) or 1)
    return wide.convert("F").point(lambda value: value * scale + (0.5 - low * scale)).convert("L")
