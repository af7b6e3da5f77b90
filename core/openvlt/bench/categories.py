"""The categories of questions, and which questions a limit leaves of each."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openvlt.records import Example, Rejected
from openvlt.stratify import allocate

SEED = 0


def labels(metadata: Mapping[str, Any], key: str) -> list[str]:
    """The values a question counts for under a key; several if the key has a list."""
    value = metadata.get(key)
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def chosen_evenly(examples: Iterable[Example], broken: Sequence[Rejected], limit: int, keys: Sequence[str]) -> set[str]:
    """The ids of the questions that a limit leaves.

    There are as many of each value of the first key (what a small category lacks, the others have), of these as many of
    each value of the next, and of the broken ones their share. Within a category they are those with the lowest digest
    of the seed and their id: the same whatever the order of the data, and those of a lower limit among them.

    Args:
        examples: the questions.
        broken: those that cannot be read, whose category is unknown; complete once `examples` are read.
        limit: how many to choose.
        keys: of the metadata.
    """
    cells: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for example in examples:
        cells[tuple(", ".join(labels(example.metadata, key)) for key in keys)].append(example.id)
    total = sum(map(len, cells.values())) + len(broken)
    share = min(limit, total) * len(broken) // max(total, 1)
    counts = allocate({cell: len(cells[cell]) for cell in sorted(cells)}, total=limit - share)
    chosen = [([each.id for each in broken], share), *((ids, counts[cell]) for cell, ids in cells.items())]
    return {id for ids, count in chosen for id in sorted(ids, key=_rank)[:count]}


def _rank(id: str) -> bytes:
    return hashlib.sha256(f"{SEED} {id}".encode()).digest()
