"""Rows are the cache: append-only JSON Lines shards of one component, and an index of their keys.

A chunk of rows is written at once and closed by a commit line; rows without their commit line (the process was killed,
the disk was full) do not count and are computed again. The index is derived: it is caught up from the shards whenever a
store is opened, so losing it loses nothing.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from openvlt.errors import DataError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS row (key BLOB PRIMARY KEY, shard INTEGER, start INTEGER, length INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shard (number INTEGER PRIMARY KEY, size INTEGER);
"""


class RowStore:
    """The rows of one component, by key (hex digest). Safe for several processes, each appending to its own shard.

    Args:
        folder: the component's folder; it is made if it does not exist.

    Raises:
        DataError: the disk is full or read-only.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._readers: dict[int, BinaryIO] = {}
        self._shard: tuple[int, FileIO] | None = None
        self.corrupt = 0
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._open_index()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._rebuild_index()

    def __enter__(self) -> RowStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Release files; the rows stay."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        if self._shard:
            self._shard[1].close()
            self._shard = None
        self._index.close()

    def __contains__(self, key: str) -> bool:
        return self._place(key) is not None

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The keys that have no row yet, in order."""
        return [key for key in keys if key not in self]

    def get(self, key: str) -> bytes | None:
        """The row's value, a line of JSON, or None if there is no such row or it no longer reads."""
        place = self._place(key)
        if place is None:
            return None
        shard, start, length = place
        line = self._read(shard, start, length)
        head, _, value = line.partition(b"\t")
        if _is_row(line) and head.decode("ascii") == key:
            return value[:-1]
        self.corrupt += 1
        with self._index:
            self._index.execute("DELETE FROM row WHERE key = ?", (bytes.fromhex(key),))
        return None

    def put(self, rows: Sequence[tuple[str, bytes]]) -> None:
        """Append a chunk of (key, one line of JSON); when this returns, the chunk survives a crash.

        Raises:
            DataError: the disk is full or read-only; rows of earlier chunks are safe.
        """
        with self._writing():
            number, shard = self._writer()
            start = shard.seek(0, os.SEEK_END)
            lines = [key.encode() + b"\t" + value + b"\n" for key, value in rows]
            rest = memoryview(b"".join(lines) + b"commit\t" + str(len(lines)).encode() + b"\n")
            while rest:
                rest = rest[shard.write(rest) :]
            os.fsync(shard.fileno())
            self._record(number, start, lines, shard.tell())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say what a failed write means; its shard is left alone from then on, for its end may be torn."""
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            if self._shard:
                self._shard[1].close()
                self._shard = None
            raise DataError(
                f"Rows cannot be written to {self.folder}: {getattr(error, 'strerror', None) or error}.",
                "Free some space there and run the same command again; finished chunks are kept.",
            ) from error

    def _open_index(self) -> None:
        self._index = _connect(self.folder / "index.sqlite")
        self._catch_up()

    def _rebuild_index(self) -> None:
        """Read the shards again, for the index is damaged."""
        if hasattr(self, "_index"):
            self._index.close()
        for path in self.folder.glob("index.sqlite*"):
            path.unlink(missing_ok=True)
        self._open_index()

    def _place(self, key: str) -> tuple[int, int, int] | None:
        try:
            return self._look_up(key)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._rebuild_index()
            return self._look_up(key)

    def _look_up(self, key: str) -> tuple[int, int, int] | None:
        found: tuple[int, int, int] | None = self._index.execute(
            "SELECT shard, start, length FROM row WHERE key = ?", (bytes.fromhex(key),)
        ).fetchone()
        return found

    def _read(self, shard: int, start: int, length: int) -> bytes:
        if shard not in self._readers:
            try:
                self._readers[shard] = self._path(shard).open("rb")
            except FileNotFoundError:
                return b""
        self._readers[shard].seek(start)
        return self._readers[shard].read(length)

    def _path(self, shard: int) -> Path:
        return self.folder / f"{shard:06}.jsonl"

    def _writer(self) -> tuple[int, FileIO]:
        while self._shard is None:
            number = 1 + max((int(path.stem) for path in self.folder.glob("*.jsonl")), default=0)
            try:
                self._shard = (number, FileIO(self._path(number), "x"))
            except FileExistsError:
                continue
        return self._shard

    def _record(self, shard: int, start: int, lines: Sequence[bytes], size: int) -> None:
        places = []
        for line in lines:
            key = line[: line.index(b"\t")].decode("ascii")
            places.append((bytes.fromhex(key), shard, start, len(line)))
            start += len(line)
        with self._index:
            self._index.executemany("INSERT OR IGNORE INTO row VALUES (?, ?, ?, ?)", places)
            self._index.execute("INSERT OR REPLACE INTO shard VALUES (?, ?)", (shard, size))

    def _catch_up(self) -> None:
        """Index what other processes, or one that was killed, have committed since the index was last written."""
        known = dict(self._index.execute("SELECT number, size FROM shard"))
        shards = {int(path.stem): path for path in sorted(self.folder.glob("*.jsonl"))}
        sizes = {number: path.stat().st_size for number, path in shards.items()}
        for number in [number for number in known if sizes.get(number, 0) < known[number]]:
            self._forget(number)
            del known[number]
        for number, path in shards.items():
            if sizes[number] > known.get(number, 0):
                self._scan(number, path, known.get(number, 0))

    def _forget(self, shard: int) -> None:
        """Drop a shard that was lost or cut off from the index; what is left of it is read again."""
        with self._index:
            self._index.execute("DELETE FROM row WHERE shard = ?", (shard,))
            self._index.execute("DELETE FROM shard WHERE number = ?", (shard,))

    def _scan(self, number: int, path: Path, start: int) -> None:
        chunk: list[bytes] = []
        with path.open("rb") as shard:
            shard.seek(start)
            at = start
            for line in shard:
                at += len(line)
                if line.startswith(b"commit\t") and line.endswith(b"\n"):
                    self._record(number, start, chunk, at)
                    start, chunk = at, []
                elif _is_row(line):
                    chunk.append(line)
                else:
                    self.corrupt += 1
                    start, chunk = at, []


def _connect(path: Path) -> sqlite3.Connection:
    index = sqlite3.connect(path, timeout=60, check_same_thread=False)
    index.execute("PRAGMA journal_mode = WAL")
    index.execute("PRAGMA synchronous = OFF")
    index.executescript(_SCHEMA)
    return index


def _is_row(line: bytes) -> bool:
    key, tab, value = line.partition(b"\t")
    if not tab or not value.endswith(b"\n"):
        return False
    try:
        bytes.fromhex(key.decode("ascii"))
        json.loads(value)
    except ValueError:
        return False
    return True
