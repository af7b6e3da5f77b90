"""The shapes of a model's weights, read from the headers of its files."""

from __future__ import annotations

import json
from collections import Counter
from math import prod
from pathlib import Path


def check_weights(model: Path, start: Path) -> None:
    """Refuse a model whose weights are not of the shapes of the one it began with.

    The names may differ: releases of transformers name the same weights differently. A head that shares the weights of
    the embedding may be written or not.

    Args:
        model: the folder to check.
        start: the folder it began with; nothing is compared where that has no safetensors.

    Raises:
        ValueError: what is wrong.
    """
    if (model / "lora_adapter").exists():
        raise ValueError("its adapters are not merged")
    found, expected = shapes(model), shapes(start)
    if not found:
        raise ValueError("it has no weights")
    if empty := [shape for shape in found if not prod(shape)]:
        raise ValueError(f"it has an empty weight of shape {empty[0]}")
    if not expected:
        return
    embedding = max(expected, key=prod)
    for name, difference in (("lacks", expected - found), ("has in addition", found - expected)):
        difference.pop(embedding, None)
        if difference:
            raise ValueError(f"it {name} {difference.total()} weights, one of shape {min(difference)}")


def shapes(folder: Path) -> Counter[tuple[int, ...]]:
    """How many weights of each shape the safetensors files of a folder have.

    Raises:
        ValueError: a file is not whole.
    """
    found = Counter[tuple[int, ...]]()
    for path in folder.glob("*.safetensors"):
        size = path.stat().st_size
        with path.open("rb") as file:
            start = 8 + int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(start - 8)) if start <= size else {}
        weights = [each for name, each in header.items() if name != "__metadata__"]
        if size != start + max((each["data_offsets"][1] for each in weights), default=0):
            raise ValueError(f"{path.name} is not whole")
        found.update(tuple(each["shape"]) for each in weights)
    return found
