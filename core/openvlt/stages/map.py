"""Map stages: cached values are looked up, missing ones computed in fixed chunks, rows written in input order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol, TypeAlias

from openvlt.errors import DataError, RemoteError
from openvlt.records import Rejected, Row
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import StageWriter, ValueStore, decode, encode

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
        chunk: rows computed together.
        parallel: chunks in flight at the same time.
    """

    @property
    def identity(self) -> str: ...

    @property
    def value_type(self) -> Any: ...

    @property
    def chunk(self) -> int: ...

    @property
    def parallel(self) -> int: ...

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
        """Free what `compute` has opened."""
        ...


Finish: TypeAlias = Callable[[Row, list[Value | Rejected]], Row | Rejected]
"""Makes an output row of a row and its values; rejected values are counted whatever it returns."""


def map_stage(
    workspace: Workspace, step: Step, inputs: Output, work: Work, finish: Finish, total: int, *, gaps: bool = False
) -> Output:
    """Carry out a map stage, or reuse it.

    Args:
        workspace: of the run.
        step: the stage.
        inputs: the input rows.
        work: computes the values of a row.
        finish: makes the output row.
        total: number of rows.
        gaps: accept an output with missing values; the next run retries the transient ones.

    Raises:
        DataError: too many rows were rejected.
        RemoteError: some rows failed transiently; the next run retries only those.
    """
    started = time.monotonic()
    with claimed(workspace, step) as (folder, summary):
        if summary is not None:
            return output(step, folder, summary, cached=True, started=started)
        workspace.progress.begin(step.name, total, "rows")
        with ValueStore(workspace.home.values / work.identity) as store:
            filling = _Filling(workspace, work, store)
            try:
                filling.run(inputs.rows())
            finally:
                work.close()
            filling.seconds = time.monotonic() - started
            writer = StageWriter(folder)
            try:
                taken = _write(inputs.rows(), work, store, filling.transient, finish, writer)
                if not gaps:
                    _check(workspace, step, taken, writer)
            finally:
                writer.close()
            counts = {key: value for key, value in work.counts().items() if value}
            counts["seconds"] = round(filling.seconds, 3)
            missing = {"transient": writer.transient} if gaps else {}
            made = writer.finish({"in": taken, "counts": counts, "values": work.identity, **missing})
        return output(step, folder, made, cached=filling.computed == 0, started=started)


@dataclass
class _Filling:
    """Computes the missing values. Chunks hold the same rows however often the run is interrupted."""

    workspace: Workspace
    work: Work
    store: ValueStore
    computed: int = 0
    seconds: float = 0.0
    transient: dict[str, Rejected] = field(default_factory=dict)

    def run(self, rows: Iterable[Row]) -> None:
        if self.work.parallel == 1:
            for chunk, tasks in self._chunks(rows):
                self._commit(chunk, tasks, self.work.compute([task for task, _ in tasks]) if tasks else [])
            return
        with ThreadPoolExecutor(self.work.parallel) as pool:
            flying: deque[tuple[int, list[_Missing], Future[list[list[Value | Rejected]]] | None]] = deque()
            try:
                for chunk, tasks in self._chunks(rows):
                    future = pool.submit(self.work.compute, [task for task, _ in tasks]) if tasks else None
                    flying.append((chunk, tasks, future))
                    # Results are committed in order; a queue twice as long as the pool keeps the other workers
                    # busy while the oldest chunk is slow, and bounds what an interruption loses.
                    while len(flying) > 2 * self.work.parallel:
                        self._land(flying.popleft())
                while flying:
                    self._land(flying.popleft())
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _land(self, flight: tuple[int, list[_Missing], Future[list[list[Value | Rejected]]] | None]) -> None:
        chunk, tasks, future = flight
        self._commit(chunk, tasks, future.result() if future else [])

    def _chunks(self, rows: Iterable[Row]) -> Iterator[tuple[int, list[_Missing]]]:
        """Yield chunks of distinct rows: the number of input rows each covers, and its missing values."""
        seen: set[bytes] = set()
        count, unique = 0, list[tuple[Row, list[str]]]()
        for row in rows:
            count += 1
            keys = self.work.keys(row)
            if not keys or (mark := bytes.fromhex(keys[0][:32])) in seen:
                continue
            seen.add(mark)
            unique.append((row, keys))
            if len(unique) == self.work.chunk:
                yield count, self._missing(unique)
                count, unique = 0, []
        if count:
            yield count, self._missing(unique)

    def _missing(self, rows: Sequence[tuple[Row, list[str]]]) -> list[_Missing]:
        missing = set(self.store.missing(key for _, keys in rows for key in keys))
        found = []
        for row, keys in rows:
            if wanted := tuple(index for index, key in enumerate(keys) if key in missing):
                found.append((Task(row, wanted), keys))
        return found

    def _commit(self, count: int, tasks: Sequence[_Missing], results: Sequence[Sequence[Value | Rejected]]) -> None:
        lines: list[tuple[str, bytes]] = []
        for (task, keys), values in zip(tasks, results, strict=True):
            for index, value in zip(task.wanted, values, strict=True):
                if isinstance(value, Rejected) and value.transient:
                    self.transient[keys[index]] = value
                else:
                    lines.append((keys[index], _pack(value)))
        if lines:
            self.store.put(lines)
        self.computed += len(tasks)
        self.workspace.progress.advance(count, **self.work.counts())


_Missing: TypeAlias = tuple[Task, list[str]]


def _pack(value: Value | Rejected) -> bytes:
    return (b'{"rejected":%s}' if isinstance(value, Rejected) else b'{"value":%s}') % encode(value)


def _unpack(value_type: Any, line: bytes) -> Value | Rejected:
    if line.startswith(b'{"rejected":'):
        return decode(Rejected, line[len(b'{"rejected":') : -1])
    return decode(value_type, line[len(b'{"value":') : -1])


def _write(
    rows: Iterable[Row],
    work: Work,
    store: ValueStore,
    transient: dict[str, Rejected],
    finish: Finish,
    writer: StageWriter,
) -> int:
    taken = 0
    left = iter(rows)
    while some := [(row, work.keys(row)) for row in islice(left, READ_TOGETHER)]:
        taken += len(some)
        lines = store.get_all(key for _, keys in some for key in keys)
        for row, keys in some:
            lost = Rejected(id=row.example.id, reason="row lost from the store", transient=True)
            values = [
                _unpack(work.value_type, lines[key]) if key in lines else transient.get(key, lost) for key in keys
            ]
            done = finish(row, values)
            for index, value in enumerate(values):
                if isinstance(value, Rejected) and value is not done:
                    suffix = f"#{index}" if len(values) > 1 else ""
                    writer.reject(replace(value, id=f"{row.example.id}{suffix}"))
            if isinstance(done, Rejected):
                writer.reject(replace(done, id=row.example.id))
            else:
                writer.row(done)
    return taken


def _check(workspace: Workspace, step: Step, taken: int, writer: StageWriter) -> None:
    """Fail if too many rows were rejected, or if some failed transiently."""
    reasons = "; ".join(f"{count} x {reason}" for reason, count in writer.rejected.most_common(3))
    if writer.transient:
        raise RemoteError(
            f"Stage {step.name}: {writer.transient} requests of {taken} rows failed transiently ({reasons}).",
            "Run the same command again: it keeps what is done and retries only those.",
        )
    lost = taken - writer.out
    if taken and (lost / taken > workspace.reject_above or writer.out == 0):
        raise DataError(
            f"Stage {step.name} lost {lost} of {taken} rows, over the limit of {workspace.reject_above:.0%} "
            f"({reasons}).",
            f"Look at {writer.folder.path / 'rejected.jsonl'}, fix the cause, or raise reject_above in the recipe.",
        )
