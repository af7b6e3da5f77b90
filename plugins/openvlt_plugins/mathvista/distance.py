"""Edit distance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache


def levenshtein(a: str, b: str) -> int:
    """The number of insertions, deletions and substitutions that turn `a` into `b`.

    A column of the distance matrix is two bit vectors of vertical steps, so a character of `b` costs a few operations
    on integers of ``len(a)`` bits (Myers 1999, J. ACM 46, 395-415; in the form of Hyyro 2003, fig. 3).
    """
    if not a:
        return len(b)
    masks = _masks(a)
    full = (1 << len(a)) - 1
    last = 1 << (len(a) - 1)
    up, down, distance = full, 0, len(a)
    for character in b:
        match = masks.get(character, 0)
        diagonal = ((((match & up) + up) ^ up) | match | down) & full
        right_up = (down | ~(diagonal | up)) & full
        right_down = up & diagonal
        distance += bool(right_up & last) - bool(right_down & last)
        right_up = (right_up << 1 | 1) & full
        right_down = (right_down << 1) & full
        up = (right_down | ~(diagonal | right_up)) & full
        down = right_up & diagonal
    return distance


@lru_cache(maxsize=1)
def _masks(text: str) -> Mapping[str, int]:
    """Where each character is, as bits; kept for the next choice that the same text is compared with."""
    masks: dict[str, int] = {}
    for index, character in enumerate(text):
        masks[character] = masks.get(character, 0) | 1 << index
    return masks
