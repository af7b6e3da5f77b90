"""The pictures of a page: thumbnails, each once, within a number of bytes."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

from openvlt.errors import DataError
from openvlt.records import Image
from openvlt.store import ImageStore

SIDE = 480
"""Pixels of the longer side of a thumbnail."""
BYTES = 48 * 2**20
"""Of all thumbnails of a page, encoded. Those in the second half have sides of half the length, so that 3,000
photographs fit."""
QUALITY = 75
LONGEST = 16_383
"""Pixels of a side that WebP can store."""


@dataclass
class Pictures:
    """Pictures by number, encoded anew as WebP: what a file hides beside its pixels stays out of the page.

    Attributes:
        store: has the images.
        whole: keep their size, however large the page gets.
        data: base64 of each.
        shrunk: how many are smaller than in the data.
        missing: number of images that are not shown, by reason.
    """

    store: ImageStore
    whole: bool = False
    data: list[str] = field(default_factory=list)
    shrunk: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    _found: dict[str, int | str] = field(default_factory=dict)
    _bytes: int = 0

    def add(self, image: Image) -> int | str:
        """The number of an image, or why it is not shown."""
        found = self._found.get(image.sha256)
        if found is None:
            found = self._found[image.sha256] = self._add(image)
            if isinstance(found, str):
                self.missing[found] += 1
        return found

    def notes(self) -> Iterator[str]:
        """What a reader should know of the pictures."""
        if self.shrunk:
            of = f"{self.shrunk:,} of {len(self.data):,} images"
            yield f"{of} are shrunk to {SIDE} pixels or less (--full-size keeps them)"
        for reason, count in self.missing.items():
            yield f"{count:,} image{'s are' if count > 1 else ' is'} not shown: {reason}"

    def _add(self, image: Image) -> int | str:
        full = f"the page has {BYTES >> 20} MiB of images (--full-size shows all)"
        if not self.whole and self._bytes >= BYTES:
            return full
        try:
            picture, file = self.store.read(image), BytesIO()
        except DataError:
            return "deleted or damaged"
        side = LONGEST if self.whole else SIDE if self._bytes < BYTES // 2 else SIDE // 2
        is_large = max(picture.size) > side
        if is_large:
            picture = picture.copy()
            picture.thumbnail((side, side))
        picture.save(file, "WEBP", quality=QUALITY, method=2)
        if not self.whole and self._bytes + file.tell() > BYTES:
            return full
        self.shrunk += is_large
        self._bytes += file.tell()
        self.data.append(base64.b64encode(file.getvalue()).decode())
        return len(self.data) - 1
