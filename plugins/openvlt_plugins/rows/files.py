"""Reads rows one at a time, each with its place, without ever holding a whole file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from openvlt import DataError

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")

Place: TypeAlias = str
"""File name and line (JSON, JSON Lines) or number of the row (Parquet), from 1."""

_BLOCK = 1 << 20
_SPACE = " \t\r\n"


def find(path: Path) -> list[Path]:
    """The files a path stands for: itself, or all files with rows in a folder, by name.

    Raises:
        DataError: there is none.
    """
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise DataError(f"The source rows cannot read {path}.", f"Give a file that ends in {', '.join(SUFFIXES)}.")
        return [path]
    found = sorted(file for file in path.glob("*") if file.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(
            f"The source rows finds no rows at {path}.", f"Give a file, or a folder of {', '.join(SUFFIXES)} files."
        )
    return found


def read(path: Path) -> Iterator[tuple[Place, Any]]:
    """Yield the rows of a file with their places; a line that cannot be read is an exception in the row's stead.

    Raises:
        DataError: the file as a whole cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    return _json(path) if suffix == ".json" else _lines(path)


def revision(paths: Sequence[Path]) -> str:
    """Hex sha256 of the files' names and contents."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _lines(path: Path) -> Iterator[tuple[Place, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    row: Any = json.loads(line)
                except ValueError as error:
                    row = error
                yield f"{path.name}:{number}", row


def _parquet(path: Path) -> Iterator[tuple[Place, Any]]:
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(path)
        number = 0
        for batch in table.iter_batches(batch_size=64):
            for row in batch.to_pylist():
                number += 1
                yield f"{path.name}:{number}", row
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}.", "Write the file again.") from error


def _json(path: Path) -> Iterator[tuple[Place, Any]]:
    """Read the elements of a list, or the values of an object of objects, whose keys become their `id`."""
    with path.open(encoding="utf-8") as file:
        text = _Json(file, path)
        opening = text.take("[{")
        closing = "]" if opening == "[" else "}"
        if text.peek() == closing:
            return
        while True:
            key = text.value() if opening == "{" else None
            if key is not None:
                text.take(":")
            place = f"{path.name}:{text.line}"
            row = text.value()
            yield place, {"id": key, **row} if key is not None and isinstance(row, dict) else row
            if text.take("," + closing) == closing:
                return


class _Json:
    """A position in a JSON file that is read block by block."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path = file, path
        self._text, self._at, self._before = "", 0, 1

    @property
    def line(self) -> int:
        self.peek()
        return self._before + self._text.count("\n", 0, self._at)

    def peek(self) -> str:
        """The next character that is no space."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                raise self._error("the file ends too early")

    def take(self, expected: str) -> str:
        character = self.peek()
        if character not in expected:
            raise self._error(f"expected one of {' '.join(expected)}, found {character!r}")
        self._at += 1
        return character

    def value(self) -> Any:
        """The next value; more is read as long as it is incomplete, or may go on behind the end of the block."""
        decoder = json.JSONDecoder()
        while True:
            self.peek()
            try:
                value, end = decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    raise self._error(error.msg) from error
                continue
            if end == len(self._text) and self._more():
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        """Read another block, ever larger while one value goes on, and forget what was taken."""
        block = self._file.read(max(_BLOCK, len(self._text) - self._at))
        self._before += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)

    def _error(self, problem: str) -> DataError:
        line = self._before + self._text.count("\n", 0, self._at)
        return DataError(f"{self._path}:{line} is not JSON: {problem}.", "Mend the file, or use JSON Lines.")
