"""Rows of local files as mappings from column to value: JSON Lines, JSON, Parquet, TSV, CSV, Excel and logs.

Rows are read one at a time, so that a file may be larger than the memory.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeAlias, cast

from openvlt.errors import DataError, first_line
from openvlt.records import Rejected
from openvlt.tables.excel import excel_rows
from openvlt.tables.json_stream import json_elements, vqa_subtype
from openvlt.tables.limits import MAX_EXPANSION, MAX_ROW
from openvlt.tables.logs import eval_rows, generation_rows
from openvlt.tables.pictures import class_rows, is_class_folder, tar_rows
from openvlt.tables.reading import belongs, open_table

TableRow: TypeAlias = Mapping[str, Any]

_TOO_LONG = f"over {MAX_ROW >> 20} MiB"
_ENCODING = "utf-8-sig"  # UTF-8, with or without the byte order mark of Excel and Windows editors


def find_files(path: Path, names: Sequence[str] = (), folders: Sequence[str] = ()) -> list[Path]:
    """Find the data files of a path: the file itself, those in a folder, or a folder with a folder of images per class.

    Args:
        path: a file or a folder.
        names: splits to look for in a folder and its subfolders, in order: the first that names a file counts, with all
            its shards; if none does, the only data file is taken. Without names, all data files of the folder.
        folders: where folders of these names contain data files, only those are searched, in this order.

    Raises:
        DataError: there is no such file, or a folder contains several and none has a wanted name.
    """
    if not _is_folder(path):
        return [path]
    found = path.rglob("*") if names else path.glob("*")
    files = sorted(file for file in found if is_table(file) and belongs(file, path))
    files = [file for file in files if file.name not in _RECORDS and _suffix(file) not in _LOGS]
    files = [file for folder in folders for file in files if file.parent.name == folder] or files
    for name in names:
        if shards := [file for file in files if file.stem == name or file.stem.startswith(f"{name}-0")]:
            return shards
    if len(files) == 1 or (files and not names):
        return files
    if not files and is_class_folder(path):
        return [path]
    below = sorted({file.parent.relative_to(path).as_posix() for file in path.glob("*/*") if is_table(file)})
    if not files and below:
        raise DataError(
            f"The folder '{path}' has data files only in the folders {', '.join(below[:5])}.",
            f"Name one of them; or {path.name}/{{split}}, if they are called as splits are.",
        )
    listed = ", ".join(file.name for file in files[:5]) or "no data file"
    wanted = f", and none is called {' or '.join(names)}" if names else ""
    raise DataError(f"The folder '{path}' contains {listed}{wanted}.", "Name the file.")


def _is_folder(path: Path) -> bool:
    """False for a file, which may be a link to anywhere, since the user names it."""
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be found ({_cause(error)})"
        raise DataError(f"The data {_shown(path)} {reason}.", "Name a file, or a folder with one.") from error
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise DataError(f"The data {_shown(path)} is a device, a fifo or a socket.", "Name a file or a folder.")
    return stat.S_ISDIR(kind)


def _shown(path: Path) -> str:
    return repr(str(path))[:200]


def _cause(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or "that is not a file name"


def digest_files(files: Sequence[Path], *, names: bool = False) -> str:
    """The sha256 (hex) of the contents of files, in order, and of their names where those matter."""
    digest = hashlib.sha256()
    for path in files:
        if path.is_dir() and is_class_folder(path):
            digest.update(json.dumps([row["id"] for _, row in class_rows(path)]).encode())
            continue
        digest.update(os.fsencode(path.name) + b"\0" if names else b"")
        with open_table(path) as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def read_table(path: Path) -> Iterator[tuple[str, TableRow | Rejected]]:
    """Yield the position and the content of each row of a file; for a row that cannot be read, the reason.

    A position is the file's name and the line (the row, in Parquet and Excel) from 1: ``rows.jsonl:7``.

    Raises:
        DataError: the format is unknown, or the file cannot be read any further.
    """
    reader = class_rows if path.is_dir() and is_class_folder(path) else _READERS.get(_suffix(path))
    if reader is None:
        raise DataError(f"'{path}' has an unknown format.", f"Use one of: {', '.join(TABLE_SUFFIXES)}.")
    try:
        for number, row in reader(path):
            position = f"{path.name}:{number}"
            yield position, Rejected(id=position, reason=row) if isinstance(row, str) else row
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be decompressed: {error}.", "Download or write it again.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error.reason}.", "Save it as UTF-8.") from error


def is_table(path: Path) -> bool:
    """True if the name of a file ends as those of tables do."""
    return _suffix(path) in TABLE_SUFFIXES


def _suffix(path: Path) -> str:
    """The format of a file; text may be compressed (``rows.jsonl.gz``)."""
    first, last = ("", *path.suffixes)[-2:] if path.suffixes else ("", "")
    return first.lower() if last.lower() == ".gz" and first.lower() in _TEXTS else last.lower()


def _open(path: Path) -> BinaryIO:
    file = open_table(path)
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if path.suffix.lower() == ".gz" else file


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


def _text(path: Path, newline: str | None = None) -> TextIO:
    return TextIOWrapper(_open(path), encoding=_ENCODING, newline=newline)


def _json_lines(path: Path) -> _Numbered:
    with _open(path) as lines:
        for number, line in enumerate(_lines(lines), start=1):
            if not line.strip():
                continue
            if len(line) > MAX_ROW:
                yield number, _TOO_LONG
                continue
            try:
                yield number, _mapping(json.loads(line.decode(_ENCODING)))
            except UnicodeDecodeError:
                yield number, "not UTF-8"
            except (ValueError, RecursionError):
                yield number, "not JSON"


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long, only enough to see that."""
    while line := file.readline(MAX_ROW + 1):
        yield line
        while len(line) > MAX_ROW and not line.endswith(b"\n"):
            line = file.readline(MAX_ROW + 1)


def _json(path: Path) -> _Numbered:
    """A list of rows, or an object of rows (or of single values) by id, which becomes the column ``id``.

    Of a log of inspect_ai or lmms-eval, an object with much else, they are the list of samples. The rows of VQAv2's
    files get their header's ``data_subtype``, which names the images.
    """
    with _text(path) as file:
        subtype = vqa_subtype(file)
        for number, key, value in json_elements(file, path):
            if subtype and isinstance(value, dict):
                yield number, {**value, "data_subtype": subtype}
            elif key is None:
                yield number, _mapping(value)
            else:
                yield number, {"id": key, **(value if isinstance(value, dict) else {"value": value})}


def _check_expansion(path: Path, metadata: Any, stored: int) -> None:
    """Refuse a file that is small only because it is compressed; a page is decompressed as a whole.

    The columns of a group are not looked at: where their metadata is damaged, pyarrow ends the process.
    """
    size = max((metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)), default=0)
    if size > MAX_ROW and size > MAX_EXPANSION * stored:
        raise DataError(
            f"{path} cannot be read as Parquet: its {stored:,} bytes expand to {size:,}.",
            "Remove the file, or write it again.",
        )


def _parquet(path: Path) -> _Numbered:
    from pyarrow import parquet

    number = 0
    try:
        with open_table(path) as content, parquet.ParquetFile(content) as file:
            _check_expansion(path, file.metadata, os.fstat(content.fileno()).st_size)
            for batch in file.iter_batches(batch_size=64):
                for row in _batch_rows(batch):
                    number += 1
                    yield number, row
    except DataError:
        raise
    except Exception as error:  # on damage: errors of Arrow, OSError, ValueError, OverflowError, ...
        raise DataError(
            f"{path} cannot be read as Parquet: {first_line(error)}.", "Download or write it again."
        ) from error


def _arrow(path: Path) -> _Numbered:
    """The file of a data set that `datasets` saved to disk."""
    from pyarrow import ipc

    number = 0
    try:
        with open_table(path) as content, ipc.open_stream(content) as batches:
            for batch in batches:
                for at in range(0, len(batch), 64):
                    for row in _batch_rows(batch.slice(at, 64)):
                        number += 1
                        yield number, row
    except Exception as error:  # on damage: errors of Arrow, OSError, ValueError, ...
        raise DataError(f"{path} cannot be read as Arrow: {first_line(error)}.", "Save it again.") from error


def _batch_rows(batch: Any) -> Iterator[TableRow | str]:
    """The rows of a batch, one by one where they are too long together."""
    if batch.nbytes <= MAX_ROW:
        yield from batch.to_pylist()
    elif len(batch) == 1:
        yield _TOO_LONG
    else:
        for at in range(len(batch)):
            yield from _batch_rows(batch.slice(at, 1))


def _separated(path: Path) -> _Numbered:
    csv.field_size_limit(MAX_ROW)  # tables of VLMEvalKit contain whole images
    with _text(path, newline="") as lines:
        reader = csv.DictReader(lines, delimiter="\t" if _suffix(path) == ".tsv" else ",")
        try:
            for row in reader:
                surplus = row.pop(None, None)
                # line_num: the last line of a row with line breaks
                yield reader.line_num, "longer than the header" if surplus and any(surplus) else row
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num} cannot be read: {error}.", "Write the file again.") from error


_RECORDS = ("dataset_info.json", "dataset_dict.json", "state.json")
"""Files that `datasets` writes beside the rows it saves to disk."""
_LOGS = (".eval", ".log")
"""Formats of files that are read where they are named, but are no data of the folder that they lie in."""
_TEXTS = (".jsonl", ".ndjson", ".json", ".tsv", ".csv")
_READERS: dict[str, Callable[[Path], _Numbered]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
    ".tsv": _separated,
    ".csv": _separated,
    ".xlsx": excel_rows,
    ".arrow": _arrow,
    ".tar": tar_rows,
    ".eval": eval_rows,
    ".log": generation_rows,
}

TABLE_SUFFIXES = tuple(_READERS)
