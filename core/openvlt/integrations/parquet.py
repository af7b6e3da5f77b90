"""Parquet files `datasets.load_dataset` reads with their images decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from openvlt.records import Image
from openvlt.store import ImageStore

BATCH = 256
"""Rows held in memory at once; with images, some 100 MB."""
SHARD = 20_000
"""Rows of one file."""


def write_shards(folder: Path, features: Any, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows to ``train-00000.parquet`` and so on; returns how many there were.

    Args:
        folder: made if it does not exist.
        features: a `datasets.Features`; it travels in the files.
        rows: one value a column; an image is what `picture` returns.
    """
    import pyarrow
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    count, schema = 0, features.arrow_schema
    for number, shard in enumerate(_cut(rows, SHARD)):
        with pyarrow.parquet.ParquetWriter(folder / f"train-{number:05}.parquet", schema) as file:
            for batch in _cut(shard, BATCH):
                table = pyarrow.Table.from_pylist(list(batch), schema=schema)
                file.write_table(table)
                count += len(table)
    return count


def picture(image: Image, images: ImageStore) -> dict[str, Any]:
    """An image as a cell of an image column."""
    return {"bytes": images.path(image).read_bytes(), "path": None}


def _cut(rows: Iterable[Any], size: int) -> Iterator[Iterator[Any]]:
    """Yield runs of `size` rows, each of which must be used up before the next."""
    left = iter(rows)
    for first in left:
        yield _joined(first, islice(left, size - 1))


def _joined(first: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from others
