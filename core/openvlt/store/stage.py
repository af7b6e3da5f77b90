"""Stages are views: the output of one step, in input order, under the fingerprint of what it was made from."""

from __future__ import annotations

import hashlib
import json
import os
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
    """The folder of one stage; it is complete once ``stage.json`` lies in it."""

    path: Path

    @property
    def rows_file(self) -> Path:
        return self.path / "rows.jsonl"

    @property
    def summary_file(self) -> Path:
        return self.path / "stage.json"

    def summary(self) -> dict[str, Any] | None:
        """What the stage counted, or None if it is not complete, or what it made is gone."""
        try:
            summary: dict[str, Any] = json.loads(self.summary_file.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        made = self.path / str(summary["model"]) if "model" in summary else self.rows_file
        return summary if made.exists() else None

    def rows(self, kind: type[T]) -> Iterator[T]:
        """Read the output back, row by row.

        Raises:
            DataError: a row does not read.
        """
        with self.rows_file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    row = decode(kind, line)
                except ValueError as error:
                    raise self._damaged(f"line {number} does not read") from error
                yield row

    def check(self) -> None:
        """Make sure that the output is what the stage wrote.

        Raises:
            DataError: it was changed since.
        """
        summary = self.summary()
        if summary is not None and file_digest(self.rows_file) != summary["digest"]:
            raise self._damaged("it is not what the stage wrote")

    def _damaged(self, how: str) -> DataError:
        return DataError(
            f"The output {self.rows_file} is damaged: {how}.",
            "Delete the file and run the command again that made it; it is made anew from the rows.",
        )

    def rejected(self) -> Iterator[Rejected]:
        """Read back what was left out."""
        with (self.path / "rejected.jsonl").open("rb") as lines:
            for line in lines:
                yield decode(Rejected, line)


class StageWriter:
    """Writes a stage's output; nothing counts until `finish`.

    Args:
        folder: the stage's folder; whatever an interrupted run left in it is written anew.
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
            self._left_out = (folder.path / "rejected.jsonl").open("wb")

    def row(self, record: Any) -> None:
        """Append one row of output."""
        line = encode(record) + b"\n"
        self._hash.update(line)
        self._write(self._rows, line)
        self.out += 1

    def reject(self, rejected: Rejected) -> None:
        """Write down a row that was left out."""
        self._write(self._left_out, encode(rejected) + b"\n")
        self.rejected[rejected.reason] += 1
        self.transient += rejected.transient

    def close(self) -> None:
        """Close the files without completing the stage."""
        with writing(self.folder.path):
            try:
                self._rows.close()
            finally:
                self._left_out.close()

    def finish(self, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the stage; returns its summary, with the digest of its rows."""
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
    """Write a file, and its folder if there is none, so that readers see either the old or the whole new content.

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
    """Say what it means that something cannot be written.

    Raises:
        DataError: the disk is full or read-only.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Free some space there and run the same command again; what was finished is kept.",
        ) from error


def file_digest(path: Path) -> str:
    """Return the sha256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_digest(path: Path, of: Callable[[Path], str] = file_digest) -> str:
    """Digest of what a model is made of: the weights, configuration and tokenizer files of its folder, or its one file.

    Args:
        path: folder or file.
        of: digest of one file.
    """
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.suffix in _CONTENT)
    return digest("content", [(file.name, of(file)) for file in files])
