"""Which examples are held out of the training: none that shares an image or a question with the others."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from openvlt import DataError, Example, tables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Digests: TypeAlias = NDArray[np.uint64]

TEMPLATE = 5
"""A question asked so often, with different answers, says nothing without its image ("What colour is it?")."""


def held_out(examples: Iterable[Example], share: float, seed: int) -> frozenset[int]:
    """Positions of the held-out examples; they do not depend on the order of the examples, or on names of files.

    Examples with a common image (by content) or question stay together, whether directly or through others. A question
    that is asked at least `TEMPLATE` times, about images and with different answers, connects none.

    Args:
        examples: all of them; each, and each of its images, takes about 80 bytes of memory: a 64-bit digest names it.
        share: of the examples, below 1; from 1 on their number. Half of them at most.
        seed: of the choice.

    Raises:
        DataError: the examples cannot be divided.
    """
    import numpy as np

    groups = _groups(examples)
    names, of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    count = len(groups)
    left = min(round(share * count) if share < 1 else int(share), count // 2)
    ranks = np.fromiter((_digest(f"{seed}:{name}") for name in names), np.uint64, len(names))
    chosen = np.zeros(len(names), bool)
    for group in np.argsort(ranks):
        if sizes[group] <= left:
            chosen[group], left = True, left - sizes[group]
    if count and not chosen.any():
        raise DataError(
            f"No {share:g} of {count} examples can be held out: they share images or questions.",
            "Raise held_out, or write a file of test questions and name both with {split} in the path.",
        )
    return frozenset(np.flatnonzero(chosen[of]).tolist())


def templates(examples: Iterable[Example]) -> list[str]:
    """The questions that connect no examples, and so may be both held out and trained on, with other images."""
    import numpy as np

    texts: dict[int, str] = {}
    asked, answers = array("Q"), array("Q")
    for example in examples:
        if example.images:
            asked.append(_question(example))
            answers.append(_digest(example.answer.casefold()))
            texts.setdefault(asked[-1], example.question)
    found = _templates(np.frombuffer(asked, np.uint64), np.frombuffer(answers, np.uint64))
    return [texts[each] for each in found.tolist()]


def _groups(examples: Iterable[Example]) -> Digests:
    """For each example the lowest of the digests that connect its group."""
    import numpy as np

    asked, answers, pictures, owners = array("Q"), array("Q"), array("Q"), array("q")
    for number, example in enumerate(examples):
        asked.append(_question(example))
        answers.append(_digest(example.answer.casefold()))
        for image in example.images:
            pictures.append(int(tables.image_digest(image)[:16], 16))
            owners.append(number)
    questions, owner = np.frombuffer(asked, np.uint64), np.frombuffer(owners, np.int64)
    seen = np.zeros(len(questions), bool)
    seen[owner] = True
    alone = seen & np.isin(questions, _templates(questions[seen], np.frombuffer(answers, np.uint64)[seen]))
    del answers
    owner = np.concatenate([np.flatnonzero(~alone), owner])
    names, nodes = np.unique(
        np.concatenate([questions[~alone], np.frombuffer(pictures, np.uint64)]), return_inverse=True
    )
    order = np.argsort(owner, kind="stable")
    owner, nodes = owner[order], nodes[order]
    joined = owner[1:] == owner[:-1]
    roots = _roots(len(names), zip(nodes[:-1][joined], nodes[1:][joined], strict=True))
    return names[np.frombuffer(roots, np.int64)[nodes[np.searchsorted(owner, np.arange(len(questions)))]]]


def _templates(asked: Digests, answers: Digests) -> Digests:
    """The questions among those about images that are asked at least `TEMPLATE` times, with different answers."""
    import numpy as np

    found, at, times = np.unique(asked, return_inverse=True, return_counts=True)
    lowest, highest = np.full(len(found), 2**64 - 1, np.uint64), np.zeros(len(found), np.uint64)
    np.minimum.at(lowest, at, answers)
    np.maximum.at(highest, at, answers)
    return found[(times >= TEMPLATE) & (lowest < highest)]


def _roots(count: int, pairs: Iterable[tuple[int, int]]) -> array[int]:
    """The lowest number that each number below `count` is connected to by pairs."""
    above = array("q", range(count))

    def root(number: int) -> int:
        while above[number] != number:
            above[number] = number = above[above[number]]
        return number

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        above[high] = low
    for number in range(count):
        above[number] = root(number)
    return above


def _question(example: Example) -> int:
    return _digest(" ".join(" ".join((example.full_question, *sorted(example.choices))).casefold().split()))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])
