"""Values that are missing: computed in fixed chunks, and stored as soon as they are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias

from openvlt.records import Rejected, Row
from openvlt.stages.workspace import Workspace
from openvlt.store import ValueStore, decode, encode

READ_TOGETHER = 256
"""Rows whose values are looked up together when the output is written."""

Value: TypeAlias = Any
"""What is computed for a row: a caption, a trace, verdicts."""


@dataclass(frozen=True, slots=True)
class Task:
    """A row, and the indices of its missing values."""

    row: Row
    wanted: tuple[int, ...]


class Work(Protocol):
    """What a map stage computes.

    Attributes:
        identity: digest of the component and the model; names the folder of its cached values.
        value_type: type of the values.
        chunk: rows computed and stored together; with 1, each value by itself.
        parallel: chunks in flight at the same time.
        replies: names of the folders of further values that these are made of.
    """

    @property
    def identity(self) -> str: ...

    @property
    def value_type(self) -> Any: ...

    @property
    def chunk(self) -> int: ...

    @property
    def parallel(self) -> int: ...

    @property
    def replies(self) -> Sequence[str]: ...

    def keys(self, row: Row) -> list[str]:
        """The key of each value of a row."""
        ...

    def compute(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        """Compute the wanted values of each task; called from several threads if `parallel` is above 1."""
        ...

    def counts(self) -> dict[str, float]:
        """Counts shown with the progress."""
        ...

    def close(self) -> None:
        """Free what `compute` has opened; may be called again."""
        ...


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What is computed together, and so stored together.

    Attributes:
        tasks: the missing values, and the keys of their rows.
        rows: number of input rows that are done with it.
    """

    tasks: Sequence[tuple[Task, list[str]]]
    rows: int


@dataclass
class Filling:
    """Computes the missing values, and stores each chunk as soon as it is there: order is the output's concern.

    Chunks hold the same rows however often the run is interrupted, since replies may depend on their batch. Where a
    chunk is one row (an endpoint), each of its values is a chunk of its own: no reply waits for a slower one.

    Attributes:
        keeps_open: True if whoever fills closes the work, as it fills more than once.
    """

    workspace: Workspace
    work: Work
    store: ValueStore
    keeps_open: bool = False
    computed: int = 0
    transient: dict[str, Rejected] = field(default_factory=dict)

    def run(self, rows: Iterable[Row]) -> None:
        """Compute and store what is missing for the rows."""
        try:
            if self.work.parallel > 1:
                self._run_in_parallel(rows)
            else:
                for chunk in self._chunks(rows):
                    self._commit([(chunk, self._compute(chunk))])
        finally:
            if not self.keeps_open:
                self.work.close()

    def _run_in_parallel(self, rows: Iterable[Row]) -> None:
        """Store what is in flight even after an error, since it may be paid for; an interrupt ends it."""
        landed, flying = SimpleQueue[_Flight](), 0
        pool = ThreadPoolExecutor(self.work.parallel)
        try:
            for chunk in self._chunks(rows):
                pool.submit(self._compute, chunk).add_done_callback(partial(_land, landed, chunk))
                flying += 1
                while flying >= 2 * self.work.parallel or not landed.empty():
                    flying -= self._store(landed)
            while flying:
                flying -= self._store(landed)
        except BaseException as error:
            if not isinstance(error, Exception):
                pool.shutdown(wait=False, cancel_futures=True)
                self.work.close()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            self._commit(_done(_landed(landed)))

    def of(self, rows: Sequence[Row]) -> list[list[Value | Rejected]]:
        """The values of a few rows, in order; those that are missing are computed."""
        self.run(rows)
        keyed = [(row, self.work.keys(row)) for row in rows]
        lines = self.values(keyed)
        return [self.unpacked(row, keys, lines) for row, keys in keyed]

    def unpacked(self, row: Row, keys: Sequence[str], lines: Mapping[str, bytes]) -> list[Value | Rejected]:
        """The values of a row from their stored lines."""
        lost = Rejected(id=row.example.id, reason="row lost from the store", transient=True)
        return [
            unpack(self.work.value_type, lines[key]) if key in lines else self.transient.get(key, lost) for key in keys
        ]

    def values(self, rows: Sequence[tuple[Row, list[str]]]) -> dict[str, bytes]:
        """The stored values of rows, by key. One that turns out damaged, now that it is read, is computed again."""
        keys = [key for _, keys in rows for key in keys]
        found = self.store.get_all(keys)
        if any(key not in found and key not in self.transient for key in keys):
            self.run(row for row, _ in rows)
            found = self.store.get_all(keys)
        return found

    def _store(self, landed: SimpleQueue[_Flight]) -> int:
        """Wait for a chunk, and store it with the others that are there: one sync costs the same for all.

        Returns:
            How many have arrived.
        """
        flights = [landed.get(), *_landed(landed)]
        self._commit(_done(flights))
        for _, future in flights:
            future.result()  # raises the error of one that failed
        return len(flights)

    def _compute(self, chunk: _Chunk) -> _Results:
        return self.work.compute([task for task, _ in chunk.tasks]) if chunk.tasks else []

    def _chunks(self, rows: Iterable[Row]) -> Iterator[_Chunk]:
        """Yield chunks of distinct rows. The missing values of many rows are looked up at once."""
        size = self.work.chunk
        for unique, count in self._distinct(rows, -(-READ_TOGETHER // size) * size):
            missing = set(self.store.missing(key for _, keys in unique for key in keys))
            wanted = [
                (Task(row, tuple(index for index, key in enumerate(keys) if key in missing)), keys)
                for row, keys in unique
            ]
            chunks = [wanted[at : at + size] for at in range(0, len(wanted), size)]
            idle = count - len(unique)
            for some in chunks:
                tasks = [(task, keys) for task, keys in some if task.wanted]
                if size == 1 and tasks:
                    ((task, keys),) = tasks
                    yield from (_Chunk([(replace(task, wanted=(each,)), keys)], 0) for each in task.wanted[:-1])
                    tasks = [(replace(task, wanted=task.wanted[-1:]), keys)]
                if tasks:
                    yield _Chunk(tasks, len(some))
                else:
                    idle += len(some)
            if idle:
                self.workspace.progress.advance(idle, **self.work.counts())

    def _distinct(self, rows: Iterable[Row], most: int) -> Iterator[tuple[list[tuple[Row, list[str]]], int]]:
        """Yield rows with different keys, at most so many at once, and the number of input rows that they cover."""
        seen: set[bytes] = set()
        count, unique = 0, list[tuple[Row, list[str]]]()
        for row in rows:
            count += 1
            keys = self.work.keys(row)
            if keys and (mark := bytes.fromhex(keys[0][:32])) not in seen:
                seen.add(mark)
                unique.append((row, keys))
            if len(unique) == most:
                yield unique, count
                count, unique = 0, []
        if count:
            yield unique, count

    def _commit(self, done: Sequence[tuple[_Chunk, _Results]]) -> None:
        lines: list[tuple[str, bytes]] = []
        for chunk, results in done:
            for (task, keys), values in zip(chunk.tasks, results, strict=True):
                for index, value in zip(task.wanted, values, strict=True):
                    if isinstance(value, Rejected) and value.transient:
                        self.transient[keys[index]] = value
                    else:
                        lines.append((keys[index], _pack(value)))
            self.computed += len(chunk.tasks)
        if lines:
            self.store.put(lines)
        if done:
            self.workspace.progress.advance(sum(chunk.rows for chunk, _ in done), **self.work.counts())


_Results: TypeAlias = list[list[Value | Rejected]]
_Flight: TypeAlias = tuple[_Chunk, Future[_Results]]


def _land(landed: SimpleQueue[_Flight], chunk: _Chunk, future: Future[_Results]) -> None:
    landed.put((chunk, future))


def _landed(landed: SimpleQueue[_Flight]) -> list[_Flight]:
    return [landed.get() for _ in range(landed.qsize())]


def _done(flights: Sequence[_Flight]) -> list[tuple[_Chunk, _Results]]:
    """The chunks that were computed: neither cancelled nor failed."""
    return [
        (chunk, future.result()) for chunk, future in flights if not future.cancelled() and future.exception() is None
    ]


def _pack(value: Value | Rejected) -> bytes:
    return (b'{"rejected":%s}' if isinstance(value, Rejected) else b'{"value":%s}') % encode(value)


def unpack(value_type: Any, line: bytes) -> Value | Rejected:
    if line.startswith(b'{"rejected":'):
        return decode(Rejected, line[len(b'{"rejected":') : -1])
    return decode(value_type, line[len(b'{"value":') : -1])
