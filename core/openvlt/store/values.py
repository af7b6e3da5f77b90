"""Rows are the cache: append-only JSON Lines shards of one component, and an index of their keys.

A line is key, checksum and value. A chunk of rows is written at once and closed by a commit line; rows without their
commit line (the process was killed, the disk was full) do not count and are computed again, as are rows whose checksum
is wrong. The index is derived: it is caught up from the shards whenever a store is opened, so losing it loses nothing.
"""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeAlias

from openvlt.errors import DataError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS row (key BLOB PRIMARY KEY, shard INTEGER, start INTEGER, length INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shard (number INTEGER PRIMARY KEY, size INTEGER);
"""
_TOGETHER = 500
"""Keys looked up with one query."""
_INDEX_ROWS, _INDEX_SECONDS = 100_000, 5.0
"""Rows and time after which the index is written: many at once, in order, cost the same however large it is."""

_Place: TypeAlias = tuple[int, int, int]
"""Shard, first byte and length of a row."""


class ValueStore:
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
        self._pending: dict[bytes, _Place] = {}
        self._sizes: dict[int, int] = {}
        self._indexed = time.monotonic()
        self.corrupt = 0
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._open_index()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._rebuild_index()

    def __enter__(self) -> ValueStore:
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
        with suppress(sqlite3.OperationalError):  # What is not in the index is found in the shards next time.
            self._write_index()
        self._index.close()

    def __contains__(self, key: str) -> bool:
        return not self.missing([key])

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The keys that have no row yet, in order."""
        wanted = list(keys)
        found = self._places(wanted)
        return [key for key in wanted if key not in found]

    def get(self, key: str) -> bytes | None:
        """The row's value, a line of JSON, or None if there is no such row or it no longer reads."""
        return self.get_all([key]).get(key)

    def get_all(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of those keys that have a row that reads; a row that does not is forgotten."""
        found: dict[str, bytes] = {}
        for key, (shard, start, length) in self._places(list(keys)).items():
            row = _parse(self._read(shard, start, length))
            if row is not None and row[0] == key:
                found[key] = row[1]
            else:
                self.corrupt += 1
                self._pending.pop(bytes.fromhex(key), None)
                with self._index:
                    self._index.execute("DELETE FROM row WHERE key = ?", (bytes.fromhex(key),))
        return found

    def check(self) -> Iterator[str]:
        """Read every row of the index and yield what is wrong, one line each."""
        self._write_index()
        for key, shard, start, length in self._index.execute("SELECT key, shard, start, length FROM row"):
            row = _parse(self._read(shard, start, length))
            if row is None or row[0] != key.hex():
                yield f"{self._path(shard)}: the row at byte {start} is damaged"

    def put(self, rows: Sequence[tuple[str, bytes]]) -> None:
        """Append a chunk of (key, one line of JSON); when this returns, the chunk survives a crash.

        Raises:
            DataError: the disk is full or read-only; rows of earlier chunks are safe.
        """
        with self._writing():
            number, shard = self._writer()
            start = shard.seek(0, os.SEEK_END)
            lines = [b"%s\t%08x\t%s\n" % (key.encode(), zlib.crc32(value), value) for key, value in rows]
            rest = memoryview(b"".join(lines) + b"commit\t%d\n" % len(lines))
            while rest:
                rest = rest[shard.write(rest) :]
            os.fsync(shard.fileno())
            self._record(number, start, [key for key, _ in rows], lines, shard.tell())

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
        self._pending.clear()
        self._sizes.clear()
        self._open_index()

    def _places(self, keys: Sequence[str]) -> Mapping[str, _Place]:
        try:
            return self._look_up(keys)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._rebuild_index()
            return self._look_up(keys)

    def _look_up(self, keys: Sequence[str]) -> dict[str, _Place]:
        found: dict[str, _Place] = {}
        for at in range(0, len(keys), _TOGETHER):
            some = [bytes.fromhex(key) for key in keys[at : at + _TOGETHER]]
            found.update({key.hex(): self._pending[key] for key in some if key in self._pending})
            query = f"SELECT key, shard, start, length FROM row WHERE key IN ({','.join('?' * len(some))})"
            for key, *place in self._index.execute(query, some):
                found[key.hex()] = tuple(place)
        return found

    def _read(self, shard: int, start: int, length: int) -> bytes:
        if shard not in self._readers:
            try:
                self._readers[shard] = self._path(shard).open("rb")
            except FileNotFoundError:
                return b""
        return os.pread(self._readers[shard].fileno(), length, start)

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

    def _record(self, shard: int, start: int, keys: Sequence[str], lines: Sequence[bytes], size: int) -> None:
        for key, line in zip(keys, lines, strict=True):
            self._pending.setdefault(bytes.fromhex(key), (shard, start, len(line)))
            start += len(line)
        self._sizes[shard] = size
        if len(self._pending) >= _INDEX_ROWS or time.monotonic() - self._indexed > _INDEX_SECONDS:
            self._write_index()

    def _write_index(self) -> None:
        """Put what was recorded into the index, in the order of the keys."""
        rows = sorted((key, *place) for key, place in self._pending.items())
        with self._index:
            self._index.executemany("INSERT OR IGNORE INTO row VALUES (?, ?, ?, ?)", rows)
            self._index.executemany("INSERT OR REPLACE INTO shard VALUES (?, ?)", self._sizes.items())
        self._pending.clear()
        self._sizes.clear()
        self._indexed = time.monotonic()

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
        self._write_index()

    def _forget(self, shard: int) -> None:
        """Drop a shard that was lost or cut off from the index; what is left of it is read again."""
        with self._index:
            self._index.execute("DELETE FROM row WHERE shard = ?", (shard,))
            self._index.execute("DELETE FROM shard WHERE number = ?", (shard,))

    def _scan(self, number: int, path: Path, start: int) -> None:
        keys, lines = list[str](), list[bytes]()
        with path.open("rb") as shard:
            shard.seek(start)
            at = start
            for line in shard:
                at += len(line)
                if line.startswith(b"commit\t") and line.endswith(b"\n"):
                    self._record(number, start, keys, lines, at)
                elif (row := _parse(line)) is not None:
                    keys.append(row[0])
                    lines.append(line)
                    continue
                else:
                    self.corrupt += 1
                start, keys, lines = at, [], []


def _connect(path: Path) -> sqlite3.Connection:
    index = sqlite3.connect(path, timeout=60, check_same_thread=False)
    index.execute("PRAGMA journal_mode = WAL")
    index.execute("PRAGMA synchronous = OFF")
    index.execute("PRAGMA cache_size = -131072")
    index.execute("PRAGMA wal_autocheckpoint = 16384")
    index.executescript(_SCHEMA)
    return index


def _parse(line: bytes) -> tuple[str, bytes] | None:
    """Key and value of a line, or None if it is no whole row."""
    key, _, rest = line.partition(b"\t")
    checksum, _, value = rest.partition(b"\t")
    if not value.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(value[:-1]):
        return None
    try:
        bytes.fromhex(key.decode("ascii"))
    except ValueError:
        return None
    return key.decode("ascii"), value[:-1]
