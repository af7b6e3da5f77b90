"""The output of one stage, in input order, under the fingerprint of its inputs and components."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from openvlt import system
from openvlt.errors import DataError
from openvlt.records import Rejected
from openvlt.store.codec import decode, digest, encode
from openvlt.store.writing import read_checked, sync_tree, write_checked, writing

T = TypeVar("T")

MOST_REASONS = 1000
"""Reasons that are counted one by one; a component may give another for each row."""

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

    @property
    def rejected_file(self) -> Path:
        return self.path / "rejected.jsonl"

    def summary(self) -> dict[str, Any] | None:
        """What the stage counted; None if it is incomplete, its output is gone or ``stage.json`` is damaged."""
        try:
            summary = read_checked(self.summary_file, unchecked=True)
        except (FileNotFoundError, ValueError):
            return None
        return summary if self._output(summary).exists() else None

    def damaged(self, summary: Mapping[str, Any], of: Callable[[Path], str | None] | None = None) -> Path | None:
        """The first file of the output that is not what the stage wrote, None if all are.

        Args:
            summary: in ``stage.json``.
            of: digest of a file; by default only sizes are compared.
        """
        for name, (size, expected) in self._files(summary).items():
            file = self.path / name
            if not file.is_file() or size not in (None, file.stat().st_size):
                return file
            if of is not None and of(file) != expected:
                return file
        return None

    def complete(self, summary: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
        """Sync the output to disk, and only then write ``stage.json``, which has size and digest of its files.

        Args:
            summary: what the stage counted.
            digests: of its files, whose names are relative to the folder.

        Raises:
            DataError: the disk is full or read-only.
        """
        with writing(self.path):
            sync_tree(self._output(summary))
            system.sync(self.path.parent)
            files = {name: [(self.path / name).stat().st_size, found] for name, found in digests.items()}
        complete = {**summary, "files": files}
        write_checked(self.summary_file, complete)
        return complete

    def model(self) -> Path | None:
        """The folder of the model that the stage trained; None if there is none.

        Raises:
            DataError: a file of it has not the size it was written with.
        """
        summary = self.summary()
        if summary is None or "model" not in summary:
            return None
        if (file := self.damaged(summary)) is not None:
            raise damaged_model(file)
        return self._output(summary)

    def _files(self, summary: Mapping[str, Any]) -> Mapping[str, tuple[int | None, str]]:
        """Size and digest of each file; an earlier version recorded only the digest of the rows."""
        earlier = {} if "model" in summary else {self.rows_file.name: (None, summary["digest"])}
        files: Mapping[str, tuple[int | None, str]] = summary.get("files", earlier)
        return files

    def _output(self, summary: Mapping[str, Any]) -> Path:
        return self.path / str(summary["model"]) if "model" in summary else self.rows_file

    def rows(self, record_type: type[T], expected: str | None = None) -> Iterator[T]:
        """Yield the rows of the output; after the last one, the digest of all that was read is compared.

        Args:
            record_type: of a row.
            expected: digest of the file, by default that in ``stage.json``.

        Raises:
            DataError: a row cannot be read, or the rows are not what the stage wrote.
        """
        return (row for _, row in self._read(self.rows_file, record_type, expected))

    def places(self, record_type: type[T]) -> Iterator[tuple[int, T]]:
        """Yield the rows as `rows` does, each with its place in the file, for `row_at`."""
        return self._read(self.rows_file, record_type)

    def row_at(self, place: int, record_type: type[T]) -> T:
        """The row at a place that `places` gave."""
        with self.rows_file.open("rb") as lines:
            lines.seek(place)
            return decode(record_type, lines.readline())

    def rejected(self) -> Iterator[Rejected]:
        """Yield the rows that were rejected.

        Raises:
            DataError: they are not what the stage wrote.
        """
        return (row for _, row in self._read(self.rejected_file, Rejected))

    def _read(self, path: Path, record_type: type[T], expected: str | None = None) -> Iterator[tuple[int, T]]:
        if expected is None and (summary := self.summary()) is not None:
            _, expected = self._files(summary).get(path.name, (None, None))
        hashed, place = hashlib.sha256(), 0
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                hashed.update(line)
                try:
                    record = decode(record_type, line)
                except ValueError as error:
                    raise _damaged(path, f"line {number} cannot be read") from error
                yield place, record
                place += len(line)
        if expected is not None and hashed.hexdigest() != expected:
            raise _damaged(path, "it is not what the stage wrote")


def damaged_model(file: Path) -> DataError:
    """The error that a file of a trained model has changed, which is not trained again without being asked for."""
    return DataError(
        f"The trained model is damaged: {file} is not what the training wrote.",
        f"Restore the file, or delete {file.parent} and run its command again to train it again.",
    )


def _damaged(path: Path, how: str) -> DataError:
    return DataError(
        f"The output {path} is damaged: {how}.", "Run its command again; it is rewritten from the cached values."
    )


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
        self.faults: Counter[str] = Counter()
        self.transient = 0
        self._hash, self._rejected_hash = hashlib.sha256(), hashlib.sha256()
        with writing(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.summary_file.unlink(missing_ok=True)
            self._rows = folder.rows_file.with_suffix(".partial").open("wb")
            self._rejected_file = folder.rejected_file.open("wb")

    def row(self, record: Any) -> None:
        """Append one row of output."""
        line = encode(record) + b"\n"
        self._hash.update(line)
        self._write(self._rows, line)
        self.out += 1

    def reject(self, rejected: Rejected) -> None:
        """Record a rejected row."""
        line = encode(rejected) + b"\n"
        self._rejected_hash.update(line)
        self._write(self._rejected_file, line)
        known = rejected.reason in self.rejected or len(self.rejected) < MOST_REASONS
        reason = rejected.reason if known else "other reasons"
        self.rejected[reason] += 1
        if rejected.fault:
            self.faults[reason] += 1
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
        partial = self.folder.rows_file.with_suffix(".partial")
        with writing(self.folder.path):
            for written in (partial, self.folder.rejected_file):
                system.sync(written)
            partial.replace(self.folder.rows_file)
        summary = {
            "digest": self._hash.hexdigest(),
            "out": self.out,
            "rejected": dict(sorted(self.rejected.items())),
            "faults": dict(self.faults.most_common(MOST_REASONS)),
            **counts,
        }
        rows, rejected = self.folder.rows_file.name, self.folder.rejected_file.name
        digests = {rows: self._hash.hexdigest(), rejected: self._rejected_hash.hexdigest()}
        return self.folder.complete(summary, digests)

    def _write(self, file: BinaryIO, line: bytes) -> None:
        with writing(self.folder.path):
            file.write(line)


def file_digest(path: Path) -> str:
    """The sha256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_files(path: Path) -> list[Path]:
    """The files whose content is a model: its one file, or the weights, configuration and tokenizer of its folder."""
    return [path] if path.is_file() else sorted(file for file in path.iterdir() if file.suffix in _CONTENT)


def model_digest(digests: Mapping[str, str]) -> str:
    """The digest of a model, given those of its files by name, in order."""
    return digest("content", list(digests.items()))
