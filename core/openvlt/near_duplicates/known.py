"""What is known of a benchmark's picture: packed, so that no later stage or run hashes it again."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openvlt.near_duplicates.pictures import THUMB, WORDS, Outline, hashes

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from openvlt.near_duplicates.pictures import Hash

_OUTLINE = [
    ("hash", "<u8", (WORDS,)), ("grey", "u1", (THUMB, THUMB)), ("colours", "<i2", (8, 8, 3)), ("ratio", "<f8"),
    ("is_whole", "?"), ("is_simple", "?"),
]  # fmt: skip
_HASH = [("at", "u1"), ("hash", "<u8", (WORDS,))]


@dataclass(frozen=True, slots=True, eq=False)
class KnownPicture:
    """A picture of a benchmark.

    Attributes:
        outlines: of the picture, up to three.
        hashes: by which it is found, each with the number of its outline.
    """

    outlines: list[Outline]
    hashes: list[tuple[int, Hash]]

    @classmethod
    def of(cls, picture: Picture) -> KnownPicture:
        """Hash a picture (RGB)."""
        return cls(*hashes(picture))

    def packed(self) -> str:
        """As zipped arrays in base64, 0.5 to 14 kB."""
        import numpy as np

        outlines = [
            (each.hash, each.grey, each.colours, each.ratio, each.is_whole, each.is_simple) for each in self.outlines
        ]
        parts = np.array(outlines, _OUTLINE).tobytes() + np.array(self.hashes, _HASH).tobytes()
        return b64encode(zlib.compress(bytes([len(outlines)]) + parts)).decode()

    @classmethod
    def unpacked(cls, content: str) -> KnownPicture:
        """What `packed` made.

        Raises:
            ValueError: it is damaged.
        """
        import numpy as np

        try:
            count, parts = (plain := zlib.decompress(b64decode(content)))[0], plain[1:]
        except (zlib.error, IndexError) as error:
            raise ValueError("no picture is packed here") from error
        outlines: Any = np.frombuffer(parts, _OUTLINE, count)
        hashes: Any = np.frombuffer(parts, _HASH, offset=outlines.nbytes)
        return cls([Outline(*each) for each in outlines], list(zip(hashes["at"].tolist(), hashes["hash"], strict=True)))
