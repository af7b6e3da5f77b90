"""Images by digest: stored once, checked on the way in, decoded when they are used."""

from __future__ import annotations

import hashlib
import os
import warnings
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from openvlt.errors import DataError, Reject
from openvlt.records import Image, NewImage
from openvlt.store.stage import writing

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 100_000_000


class ImageStore:
    """The images of a home.

    Args:
        folder: ``$OPENVLT_HOME/images``.
        decoded: images kept decoded, the most recently used ones.
    """

    def __init__(self, folder: Path, decoded: int = 64) -> None:
        self.folder = folder
        self.read = lru_cache(maxsize=decoded)(self._decode)

    def path(self, image: Image) -> Path:
        """The file of an image."""
        return self.folder / image.sha256[:2] / image.sha256

    def add(self, image: Image) -> Image:
        """Check and store an image of a source; a stored one is returned unchanged.

        Raises:
            Reject: the image is missing, unreadable, or too large to decode safely.
            DataError: the disk is full or read-only.
        """
        if not isinstance(image, NewImage):
            return image
        content = _content(image.origin)
        width, height = _check(content)
        stored = Image(hashlib.sha256(content).hexdigest(), width, height)
        target = self.path(stored)
        if not target.exists():
            self._write(target, content)
        return stored

    def _write(self, target: Path, content: bytes) -> None:
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(target)

    def content(self, image: Image) -> bytes:
        """The image's encoded bytes.

        Raises:
            DataError: they cannot be read.
        """
        try:
            return self.path(image).read_bytes()
        except OSError as error:
            raise DataError(
                f"Image {image.sha256[:12]} cannot be read from {self.folder}: {error}.",
                "Run the same command with a fresh OPENVLT_HOME, or restore the folder.",
            ) from error

    def _decode(self, image: Image) -> Picture:
        return decode_image(self.content(image))


def decode_image(content: bytes) -> Picture:
    """Decode a checked image to RGB; of an animation, the first frame."""
    import PIL.Image

    with PIL.Image.open(BytesIO(content)) as picture:
        return picture.convert("RGB")


def _content(origin: Path | bytes) -> bytes:
    try:
        if (len(origin) if isinstance(origin, bytes) else origin.stat().st_size) > MAX_BYTES:
            raise Reject(f"image file over {MAX_BYTES >> 20} MiB")
        return origin if isinstance(origin, bytes) else origin.read_bytes()
    except FileNotFoundError as error:
        raise Reject("image file missing") from error
    except OSError as error:
        raise Reject(f"image file unreadable ({error.strerror})") from error


def _check(content: bytes) -> tuple[int, int]:
    """Width and height; the pixels are decoded only if the header says that they are few enough."""
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(BytesIO(content)) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise Reject(f"image over {MAX_PIXELS // 10**6} megapixels")
                picture.load()
                return picture.size
    except PIL.Image.DecompressionBombError as error:
        raise Reject(f"image over {MAX_PIXELS // 10**6} megapixels") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Reject("image unreadable") from error
