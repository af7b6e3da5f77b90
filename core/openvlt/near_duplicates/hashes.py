"""An index of hashes: all are compared, which takes some 10 ms for a million."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 1 << 16
"""Hashes compared at once, which fit the cache of a processor."""


class HashIndex:
    """Hashes and the numbers they were added with; 28 bytes each, and up to twice as many while it grows."""

    def __init__(self) -> None:
        import numpy as np

        from openvlt.near_duplicates.pictures import WORDS

        self._hashes = np.zeros((WORDS, 1024), np.uint64)  # by words, so that each is read in one sweep
        self._numbers = np.zeros(1024, np.int32)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, hash: NDArray[np.uint64], number: int) -> None:
        """Add a hash; the same number may have several."""
        import numpy as np

        if self._size == len(self._numbers):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)], axis=1)
            self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)])
        self._hashes[:, self._size], self._numbers[self._size] = hash, number
        self._size += 1

    def nearest(self, hash: NDArray[np.uint64], most: int, within: int) -> list[tuple[int, int]]:
        """The nearest numbers, with the bits by which each differs at least.

        Args:
            hash: to look up.
            most: numbers to return.
            within: bits by which they may differ.
        """
        import numpy as np

        found: dict[int, int] = {}
        for start in range(0, self._size, BLOCK):
            block = slice(start, min(start + BLOCK, self._size))
            bits = np.zeros(block.stop - start, np.uint8)
            for word, hashes in zip(hash, self._hashes, strict=True):
                bits += np.bitwise_count(hashes[block] ^ word)
            near = np.flatnonzero(bits <= within)
            for bit, number in zip(bits[near].tolist(), self._numbers[block][near].tolist(), strict=True):
                found[number] = min(bit, found.get(number, bit))
        return sorted(((number, bit) for number, bit in found.items()), key=lambda each: (each[1], each[0]))[:most]
