"""The output of one stage, in input order, under the fingerprint of its inputs and components."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from openvlt.errors import DataError
from openvlt.records import Rejected
from openvlt.store.codec import decode, digest, encode

T = TypeVar("T")

_CONTENT = (".safetensors", ".gguf", ".json", ".jinja", ".txt", ".model")


@dataclass(frozen=True, slots=True)
class StageFolder:
    """The folder of one stage; it is complete once it contains ``stage.json``."""

    path: Path

    @property
    def rows_file(self) -> Path:
        return self.path / "rows.jsonl"

    @property
    def summary_file(self) -> Path:
        return self.path / "stage.json"

    def summary(self) -> dict[str, Any] | None:
        """What the stage counted; None if it is incomplete or its output is gone."""
        try:
            summary: dict[str, Any] = json.loads(self.summary_file.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        output = self.path / str(summary["model"]) if "model" in summary else self.rows_file
        return summary if output.exists() else None

    def rows(self, record_type: type[T]) -> Iterator[T]:
        """Yield the rows of the output.

        Raises:
            DataError: a row cannot be read.
        """
        with self.rows_file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    row = decode(record_type, line)
                except ValueError as error:
                    raise self._damaged(f"line {number} cannot be read") from error
                yield row

    def check(self) -> None:
        """Make sure that the output is what the stage wrote.

        Raises:
            DataError: it has changed since.
        """
        summary = self.summary()
        if summary is not None and file_digest(self.rows_file) != summary["digest"]:
            raise self._damaged("it is not what the stage wrote")

    def _damaged(self, how: str) -> DataError:
        return DataError(
            f"The output {self.rows_file} is damaged: {how}.",
            "Delete the file and run its command again; it is rewritten from the cached values.",
        )

    def rejected(self) -> Iterator[Rejected]:
        """Yield the rows that were rejected."""
        with (self.path / "rejected.jsonl").open("rb") as lines:
            for line in lines:
                yield decode(Rejected, line)


class StageWriter:
    """Writes a stage's output, which does not count until `finish`.

    The rows go to a partial file that is renamed at the end, and ``stage.json`` is deleted first and written last, so
    that a kill at any point leaves an incomplete stage and never a wrong one.

    Args:
        folder: the stage's folder; what an interrupted run left in it is overwritten.
    """

    def __init__(self, folder: StageFolder) -> None:
        self.folder = folder
        self.out = 0
        self.rejected: Counter[str] = Counter()
        self.transient = 0
        self._hash = hashlib.sha256()
        with writing(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.summary_file.unlink(missing_ok=True)
            self._rows = folder.rows_file.with_suffix(".partial").open("wb")
            self._rejected_file = (folder.path / "rejected.jsonl").open("wb")

    def row(self, record: Any) -> None:
        """Append one row of output."""
        line = encode(record) + b"\n"
        self._hash.update(line)
        self._write(self._rows, line)
        self.out += 1

    def reject(self, rejected: Rejected) -> None:
        """Record a rejected row."""
        self._write(self._rejected_file, encode(rejected) + b"\n")
        self.rejected[rejected.reason] += 1
        self.transient += rejected.transient

    def close(self) -> None:
        """Close the files without completing the stage."""
        with writing(self.folder.path):
            try:
                self._rows.close()
            finally:
                self._rejected_file.close()

    def finish(self, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the stage and return its summary, which contains the digest of its rows."""
        self.close()
        with writing(self.folder.path):
            self.folder.rows_file.with_suffix(".partial").replace(self.folder.rows_file)
        summary = {
            "digest": self._hash.hexdigest(),
            "out": self.out,
            "rejected": dict(sorted(self.rejected.items())),
            **counts,
        }
        write_atomically(self.folder.summary_file, json.dumps(summary, indent=1).encode())
        return summary

    def _write(self, file: BinaryIO, line: bytes) -> None:
        with writing(self.folder.path):
            file.write(line)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, creating its folder, so that readers see either the old content or the new, never a part of it.

    Raises:
        DataError: the disk is full or read-only.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure to write into an error for the user.

    Raises:
        DataError: the disk is full or read-only.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise DataError(
            f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.",
            "Free some space there and run the same command again; finished work is kept.",
        ) from error


def file_digest(path: Path) -> str:
    """The sha256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_digest(path: Path, of: Callable[[Path], str] = file_digest) -> str:
    """The digest of a model: of its one file, or of the weights, configuration and tokenizer files of its folder.

    Args:
        path: folder or file.
        of: digest of one file.
    """
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.suffix in _CONTENT)
    return digest("content", [(file.name, of(file)) for file in files])
