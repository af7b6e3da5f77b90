"""Rows of local files as mappings from column to value: JSON Lines, JSON, Parquet, TSV, CSV or Excel.

Rows are read one at a time, so that a file may be larger than the memory.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from openvlt.errors import DataError
from openvlt.records import Rejected
from openvlt.tables.json_stream import json_elements

TableRow: TypeAlias = Mapping[str, Any]

_ENCODING = "utf-8-sig"  # UTF-8, with or without the byte order mark of Excel and Windows editors


def find_files(path: Path, names: Sequence[str] = (), folders: Sequence[str] = ()) -> list[Path]:
    """Find the data files of a path: the file itself, or those in a folder.

    Args:
        path: a file or a folder.
        names: splits to look for in a folder and its subfolders, in order: the first that names a file counts, with all
            its shards; if none does, the only data file is taken. Without names, all data files of the folder.
        folders: where folders of these names contain data files, only those are searched, in this order.

    Raises:
        DataError: there is no such file, or a folder contains several and none has a wanted name.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"The data '{path}' does not exist.", "Name a file, or a folder with one.")
    found = path.rglob("*") if names else path.glob("*")
    files = sorted(file for file in found if file.suffix.lower() in TABLE_SUFFIXES and file.is_file())
    files = [file for folder in folders for file in files if file.parent.name == folder] or files
    for name in names:
        if shards := [file for file in files if file.stem == name or file.stem.startswith(f"{name}-0")]:
            return shards
    if len(files) == 1 or (files and not names):
        return files
    listed = ", ".join(file.name for file in files[:5]) or "no data file"
    wanted = f", and none is called {' or '.join(names)}" if names else ""
    raise DataError(f"The folder '{path}' contains {listed}{wanted}.", "Name the file.")


def digest_files(files: Sequence[Path], *, names: bool = False) -> str:
    """The sha256 (hex) of the contents of files, in order, and of their names where those matter."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" if names else b"")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def read_table(path: Path) -> Iterator[tuple[str, TableRow | Rejected]]:
    """Yield the position and the content of each row of a file; for a row that cannot be read, the reason.

    A position is the file's name and the line (the row, in Parquet and Excel) from 1: ``rows.jsonl:7``.

    Raises:
        DataError: the format is unknown, or the file cannot be read any further.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"'{path}' has an unknown format.", f"Use one of: {', '.join(TABLE_SUFFIXES)}.")
    try:
        for number, row in reader(path):
            position = f"{path.name}:{number}"
            yield position, Rejected(id=position, reason=row) if isinstance(row, str) else row
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error.reason}.", "Save it as UTF-8.") from error


def read_rows(path: Path) -> Iterator[TableRow]:
    """Yield the rows of a file.

    Raises:
        DataError: the format is unknown, or a row cannot be read; the message has its position.
    """
    for position, row in read_table(path):
        if isinstance(row, Rejected):
            raise DataError(f"{path.with_name(position)}: this line is {row.reason}.", "Fix or remove it.")
        yield row


_Numbered: TypeAlias = Iterator[tuple[int, TableRow | str]]
"""Rows by number; for one that cannot be read, the reason, which completes "this line is ..."."""


def _mapping(row: Any) -> TableRow | str:
    return row if isinstance(row, dict) else "not a JSON object"


def _json_lines(path: Path) -> _Numbered:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield number, _mapping(json.loads(line.decode(_ENCODING)))
            except UnicodeDecodeError:
                yield number, "not UTF-8"
            except (ValueError, RecursionError):
                yield number, "not JSON"


def _json(path: Path) -> _Numbered:
    """A list of rows, or an object of rows (or of single values) by id, which becomes the column ``id``."""
    with path.open(encoding=_ENCODING) as file:
        for number, key, value in json_elements(file, path):
            if key is None:
                yield number, _mapping(value)
            else:
                yield number, {"id": key, **(value if isinstance(value, dict) else {"value": value})}


def _parquet(path: Path) -> _Numbered:
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}.", "Download or write it again.") from error


def _separated(path: Path) -> _Numbered:
    csv.field_size_limit(2**30)  # tables of VLMEvalKit contain whole images
    with path.open(encoding=_ENCODING, newline="") as lines:
        reader = csv.DictReader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        try:
            for row in reader:
                yield reader.line_num, row  # the last line of a row with line breaks
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num} cannot be read: {error}.", "Write the file again.") from error


def _excel(path: Path) -> _Numbered:
    from zipfile import BadZipFile

    from openpyxl import load_workbook

    try:
        sheet = load_workbook(path, read_only=True, data_only=True).active
    except (BadZipFile, KeyError) as error:
        raise DataError(f"{path} is not an Excel table: {error}.", "Save it as .xlsx or .tsv.") from error
    rows = sheet.iter_rows(values_only=True)
    columns = [str(column) for column in next(rows, ())]
    for number, row in enumerate(rows, start=2):
        if any(value is not None for value in row):
            yield number, dict(zip(columns, row, strict=False))


_READERS: dict[str, Callable[[Path], _Numbered]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
    ".tsv": _separated,
    ".csv": _separated,
    ".xlsx": _excel,
}

TABLE_SUFFIXES = tuple(_READERS)
