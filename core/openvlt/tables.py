"""Rows of a local file as mappings, whatever its format: JSON Lines, JSON, Parquet, TSV, CSV or Excel."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from openvlt.errors import DataError

TableRow: TypeAlias = Mapping[str, Any]

ENCODING = "utf-8-sig"
"""UTF-8, with or without the mark that Excel and Windows editors put in front."""


def find_files(path: Path, names: tuple[str, ...], folders: tuple[str, ...] = ()) -> list[Path]:
    """The data files a path stands for: itself, or those in a folder that are named after a split, all its shards.

    Args:
        path: a file, or a folder.
        names: stems to look for in a folder, in order; where none is there, its only data file is taken.
        folders: where folders of these names have data files, only those are looked at, in this order.

    Raises:
        DataError: there is no such file, or a folder holds several and none has a wanted name.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"The data '{path}' does not exist.", "Name a file, or a folder that holds one.")
    files = sorted(file for file in path.rglob("*") if file.suffix in READERS and file.is_file())
    files = [file for folder in folders for file in files if file.parent.name == folder] or files
    for name in names:
        if found := [file for file in files if file.stem == name or file.stem.startswith(f"{name}-0")]:
            return found
    if len(files) == 1:
        return files
    told = ", ".join(file.name for file in files[:5]) or "no data file"
    raise DataError(f"The folder '{path}' holds {told}, and none is called {' or '.join(names)}.", "Name the file.")


def read_rows(path: Path) -> Iterator[TableRow]:
    """Yield the rows of a file as mappings from column to value.

    Raises:
        DataError: the file's format is unknown, or a line cannot be read (its number is named).
    """
    reader = READERS.get(path.suffix)
    if reader is None:
        raise DataError(f"'{path}' is of no known format.", f"Known are: {', '.join(sorted(READERS))}.")
    try:
        yield from reader(path)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error.reason} at byte {error.start}.", "Save it as UTF-8.") from error


def _json_lines(path: Path) -> Iterator[TableRow]:
    with path.open(encoding=ENCODING) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}:{number}: this line is not JSON: {error}.", "Mend or remove it.") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: this line is not a JSON object.", "Mend or remove it.")
            yield row


def _json(path: Path) -> Iterator[TableRow]:
    """A list of rows, or an object of rows (or of single values) by id; the id joins its row as ``pid`` and ``id``."""
    try:
        content = json.loads(path.read_text(encoding=ENCODING), object_pairs_hook=lambda pairs: _unique(path, pairs))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}.", "Mend the file.") from error
    if isinstance(content, dict):
        content = [
            {"pid": key, "id": key, **(row if isinstance(row, dict) else {"value": row})}
            for key, row in content.items()
        ]
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DataError(f"{path} holds no rows.", "It must be a list of objects, or an object of objects by id.")
    yield from content


def _unique(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys all differ; JSON itself would keep the last of equal ones and say nothing."""
    found = dict(pairs)
    if len(found) != len(pairs):
        double = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise DataError(f"{path}: the key '{double}' stands twice in one object.", "Remove one of the two.")
    return found


def _parquet(path: Path) -> Iterator[TableRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is not a Parquet file: {error}.", "Download it again.") from error


def _separated(path: Path) -> Iterator[TableRow]:
    csv.field_size_limit(2**30)  # tables of VLMEvalKit hold whole images
    with path.open(encoding=ENCODING, newline="") as lines:
        yield from csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ",")


def _excel(path: Path) -> Iterator[TableRow]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook

    try:
        sheet = load_workbook(path, read_only=True, data_only=True).active
    except (BadZipFile, KeyError) as error:
        raise DataError(f"{path} is not an Excel table: {error}.", "Save it as .xlsx or .tsv.") from error
    rows = sheet.iter_rows(values_only=True)
    columns = [str(column) for column in next(rows, ())]
    for row in rows:
        if any(value is not None for value in row):
            yield dict(zip(columns, row, strict=False))


READERS: dict[str, Callable[[Path], Iterator[TableRow]]] = {
    ".jsonl": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
    ".tsv": _separated,
    ".csv": _separated,
    ".xlsx": _excel,
}
