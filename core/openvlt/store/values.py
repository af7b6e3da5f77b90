"""The cached values of one component: append-only JSON Lines shards, and an index of their keys.

A line is key, checksum and value. A chunk of values is written at once and closed by a commit line. Without it (the
process was killed, the disk was full) none of its values counts: the stage recomputes the same rows together, as an
uninterrupted run would have, so that replies which depend on the rest of their batch stay the same. A value whose
checksum is wrong is recomputed too. The index is derived: it catches up with the shards whenever a store is opened.
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

from openvlt import system
from openvlt.errors import DataError
from openvlt.store.writing import writing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS row (key BLOB PRIMARY KEY, shard INTEGER, start INTEGER, length INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shard (number INTEGER PRIMARY KEY, size INTEGER);
"""
_KEYS_PER_QUERY = 500
_INDEX_VALUES, _INDEX_SECONDS = 100_000, 5.0
"""Values and time after which the index is written: one large sorted insert costs the same however large it is."""

_Position: TypeAlias = tuple[int, int, int]
"""Shard, first byte and length of a line."""


class ValueStore:
    """The values of one component by key (hex digest). Safe for several processes: each appends to a shard of its own.

    Args:
        folder: the component's folder; created if it does not exist.

    Raises:
        DataError: the disk is full or read-only.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._readers: dict[int, BinaryIO] = {}
        self._shard: tuple[int, FileIO] | None = None
        self._pending: dict[bytes, _Position] = {}
        self._sizes: dict[int, int] = {}
        self._indexed = time.monotonic()
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._open_index()
            except sqlite3.OperationalError:  # locked, or the disk is full: the index is not damaged
                raise
            except sqlite3.DatabaseError:
                self._rebuild_index()

    def __enter__(self) -> ValueStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all files."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        if self._shard:
            self._shard[1].close()
            self._shard = None
        with suppress(sqlite3.OperationalError):  # the next process finds in the shards what is not in the index
            self._write_index()
        self._index.close()

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The keys without a value, in order."""
        wanted = list(keys)
        found = self._positions(wanted)
        return [key for key in wanted if key not in found]

    def get_all(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values, each a line of JSON, by key; a damaged value is missing from here on."""
        found: dict[str, bytes] = {}
        for key, position in self._positions(list(keys)).items():
            line = _parse(self._read(*position))
            if line is not None and line[0] == key:
                found[key] = line[1]
            else:
                self._pending.pop(bytes.fromhex(key), None)
                with self._index:
                    self._index.execute("DELETE FROM row WHERE key = ?", (bytes.fromhex(key),))
        return found

    def check(self) -> Iterator[str]:
        """Read every value in the index and yield what is damaged, one line each."""
        self._write_index()
        try:
            for key, *position in self._index.execute("SELECT key, shard, start, length FROM row"):
                shard, start, length = _integers(position)
                line = _parse(self._read(shard, start, length))
                if line is None or not isinstance(key, bytes) or line[0] != key.hex():
                    yield f"{self._path(shard)}: the value at byte {start} is damaged"
        except sqlite3.DatabaseError:  # the index alone: it is derived, and the values are looked at through a new one
            self._rebuild_index()
            yield from self.check()

    def put(self, values: Sequence[tuple[str, bytes]]) -> None:
        """Append a chunk of (key, one line of JSON); once this returns, the chunk survives a crash.

        Raises:
            DataError: the disk is full or read-only; earlier chunks are safe.
        """
        with self._writing():
            number, shard = self._writer()
            start = shard.seek(0, os.SEEK_END)
            lines = [b"%s\t%08x\t%s\n" % (key.encode(), zlib.crc32(value), value) for key, value in values]
            rest = memoryview(b"".join(lines) + b"commit\t%d\n" % len(lines))
            while rest:
                rest = rest[shard.write(rest) :]
            os.fsync(shard.fileno())
            self._record(number, start, [key for key, _ in values], lines, shard.tell())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """After a failed write, close the shard: its end may be torn, and the next chunk begins a new one."""
        try:
            with writing(self.folder):
                yield
        except DataError:
            if self._shard:
                self._shard[1].close()
                self._shard = None
            raise

    def _open_index(self) -> None:
        self._index = sqlite3.connect(self.folder / "index.sqlite", timeout=60, check_same_thread=False)
        # No fsync of the index: after a crash it is rebuilt from the shards, which are synced.
        for pragma in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -131072", "wal_autocheckpoint = 16384"):
            self._index.execute(f"PRAGMA {pragma}")
        self._index.executescript(_SCHEMA)
        self._catch_up()

    def _rebuild_index(self) -> None:
        """Replace a damaged index by one read from the shards."""
        if hasattr(self, "_index"):
            self._index.close()
        for path in self.folder.glob("index.sqlite*"):
            path.unlink(missing_ok=True)
        self._pending.clear()
        self._sizes.clear()
        self._open_index()

    def _positions(self, keys: Sequence[str]) -> Mapping[str, _Position]:
        try:
            return self._look_up(keys)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._rebuild_index()
            return self._look_up(keys)

    def _look_up(self, keys: Sequence[str]) -> dict[str, _Position]:
        found: dict[str, _Position] = {}
        for at in range(0, len(keys), _KEYS_PER_QUERY):
            some = [bytes.fromhex(key) for key in keys[at : at + _KEYS_PER_QUERY]]
            found.update({key.hex(): self._pending[key] for key in some if key in self._pending})
            query = f"SELECT key, shard, start, length FROM row WHERE key IN ({','.join('?' * len(some))})"
            for key, *position in self._index.execute(query, some):
                shard, start, length = _integers(position)
                found[key.hex()] = shard, start, length
        return found

    def _read(self, shard: int, start: int, length: int) -> bytes:
        if shard not in self._readers:
            try:
                self._readers[shard] = self._path(shard).open("rb")
            except FileNotFoundError:
                return b""
        descriptor = self._readers[shard].fileno()
        return os.pread(descriptor, min(length, os.fstat(descriptor).st_size), start)

    def _path(self, shard: int) -> Path:
        return self.folder / f"{shard:06}.jsonl"

    def _writer(self) -> tuple[int, FileIO]:
        while self._shard is None:
            number = 1 + max((int(path.stem) for path in self.folder.glob("*.jsonl")), default=0)
            try:
                self._shard = (number, FileIO(self._path(number), "x"))
            except FileExistsError:
                continue
            system.sync(self.folder)
        return self._shard

    def _record(self, shard: int, start: int, keys: Sequence[str], lines: Sequence[bytes], size: int) -> None:
        for key, line in zip(keys, lines, strict=True):
            self._pending.setdefault(bytes.fromhex(key), (shard, start, len(line)))
            start += len(line)
        self._sizes[shard] = size
        if len(self._pending) >= _INDEX_VALUES or time.monotonic() - self._indexed > _INDEX_SECONDS:
            self._write_index()

    def _write_index(self) -> None:
        """Insert the pending positions, sorted by key: a random insert would touch a page of the index for each."""
        rows = sorted((key, *position) for key, position in self._pending.items())
        with self._index:
            self._index.executemany("INSERT OR IGNORE INTO row VALUES (?, ?, ?, ?)", rows)
            self._index.executemany("INSERT OR REPLACE INTO shard VALUES (?, ?)", self._sizes.items())
        self._pending.clear()
        self._sizes.clear()
        self._indexed = time.monotonic()

    def _catch_up(self) -> None:
        """Index what other processes, or one that was killed, committed since the index was last written."""
        known = {row[0]: row[1] for row in map(_integers, self._index.execute("SELECT number, size FROM shard"))}
        shards = {int(path.stem): path for path in sorted(self.folder.glob("*.jsonl"))}
        sizes = {number: path.stat().st_size for number, path in shards.items()}
        for number in [number for number in known if sizes.get(number, 0) < known[number]]:
            # The shard was deleted or truncated; what is left of it is read again.
            with self._index:
                self._index.execute("DELETE FROM row WHERE shard = ?", (number,))
                self._index.execute("DELETE FROM shard WHERE number = ?", (number,))
            del known[number]
        for number, path in shards.items():
            if sizes[number] > known.get(number, 0):
                self._scan(number, path, known.get(number, 0))
        self._write_index()

    def _scan(self, number: int, path: Path, start: int) -> None:
        """Record the committed chunks of a shard from a byte on; a damaged line costs the chunk it is in."""
        keys, lines = list[str](), list[bytes]()
        with path.open("rb") as shard:
            shard.seek(start)
            at = start
            for line in shard:
                at += len(line)
                if line.startswith(b"commit\t") and line.endswith(b"\n"):
                    self._record(number, start, keys, lines, at)
                elif (parsed := _parse(line)) is not None:
                    keys.append(parsed[0])
                    lines.append(line)
                    continue
                start, keys, lines = at, [], []


def _integers(row: Sequence[object]) -> list[int]:
    """The columns of a row of the index. A damaged page may hold anything, whatever the schema says.

    Raises:
        sqlite3.DatabaseError: one is no position in a file.
    """
    values = [value for value in row if isinstance(value, int) and value >= 0]
    if len(values) != len(row):
        raise sqlite3.DatabaseError("the index is damaged")
    return values


def _parse(line: bytes) -> tuple[str, bytes] | None:
    """The key and the value of a line; None if the line is incomplete or damaged."""
    key, _, rest = line.partition(b"\t")
    checksum, _, value = rest.partition(b"\t")
    if not value.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(value[:-1]):
        return None
    try:
        bytes.fromhex(key.decode("ascii"))
    except ValueError:
        return None
    return key.decode("ascii"), value[:-1]
