"""Writes Parquet files that `datasets.load_dataset` reads with their images decoded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from openvlt.records import Example, Image

if TYPE_CHECKING:
    import pyarrow

T = TypeVar("T")


class Contents(Protocol):
    """Has the files of images: an `ImageStore`, a `TrainJob`."""

    def content(self, image: Image) -> bytes: ...


Column: TypeAlias = "str | list[Column] | Mapping[str, Column]"
"""The type of a column: ``image`` or a scalar such as ``string`` and ``int32``; a list of one; a record of several."""

BATCH = 256
"""Rows in memory at once; with images, some 100 MB."""
SHARD = 20_000
"""Rows of one file."""


def write_shards(folder: Path, columns: Mapping[str, Column], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows to ``train-00000.parquet`` and so on; returns their number.

    Args:
        folder: created if it does not exist.
        columns: the type of each column.
        rows: one value a column; a list of images is what `pictures` returns.
    """
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    count, schema = 0, _schema(columns)
    for number, shard in enumerate(_cut(rows, SHARD)):
        with pyarrow.parquet.ParquetWriter(folder / f"train-{number:05}.parquet", schema) as file:
            for batch in _cut(shard, BATCH):
                table = pyarrow.Table.from_pylist(list(batch), schema=schema)
                file.write_table(table)
                count += len(table)
    return count


def pictures(example: Example, images: Contents) -> list[dict[str, Any]]:
    """The images of an example as a cell of a column of images."""
    return [{"bytes": images.content(image), "path": None} for image in example.images]


def _schema(columns: Mapping[str, Column]) -> pyarrow.Schema:
    """The schema; its metadata has the features that `datasets` reads, the only mark of a record that is an image."""
    import pyarrow

    metadata = {"huggingface": json.dumps({"info": {"features": _feature(columns)}})}
    return pyarrow.schema(list(_arrow(columns)), metadata)


def _arrow(column: Column) -> pyarrow.DataType:
    import pyarrow

    if isinstance(column, list):
        return pyarrow.list_(_arrow(column[0]))
    if isinstance(column, Mapping):
        return pyarrow.struct([(name, _arrow(each)) for name, each in column.items()])
    return _arrow({"bytes": "binary", "path": "string"}) if column == "image" else pyarrow.type_for_alias(column)


def _feature(column: Column) -> object:
    """The column as `datasets` describes it; a list as a JSON list, which its releases before 4 read too."""
    if isinstance(column, list):
        return [_feature(column[0])]
    if isinstance(column, Mapping):
        return {name: _feature(each) for name, each in column.items()}
    return {"_type": "Image"} if column == "image" else {"_type": "Value", "dtype": column}


def _cut(rows: Iterable[T], size: int) -> Iterator[Iterator[T]]:
    """Yield runs of `size` rows, each of which must be consumed before the next."""
    remaining = iter(rows)
    for first in remaining:
        yield chain([first], islice(remaining, size - 1))
