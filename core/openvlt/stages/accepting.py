"""Where the rows of a stage meet components: a row on which one fails is rejected, and the stage goes on.

It may reject a row on purpose (`Reject`), or fail on it (`Fault`); in a strict recipe the first fault ends the run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from openvlt.errors import Fault, Reject, WrongResult, counted, printable
from openvlt.interfaces import Drop, Source
from openvlt.records import Example, Rejected
from openvlt.registry import Built
from openvlt.registry.guard import REGISTERED, named
from openvlt.results import check_example, check_size
from openvlt.stages.workspace import Step, Workspace, lost_too_many
from openvlt.store import StageWriter

R = TypeVar("R")
D = TypeVar("D")

MOST_FAILURES = 100
"""Failures in a row after which a source has failed as a whole."""

_NAMED = 100
"""Characters of a rejected row's id that are kept."""
_END = object()


@contextmanager
def rejecting(
    workspace: Workspace, built: Built[Any], method: str, row: str, function: object = None
) -> Iterator[None]:
    """`Built.guarded` for a call about one row: a fault rejects the row too.

    Raises:
        Reject: the component rejects the row, or failed.
        Fault: it failed, and the recipe is strict.
    """
    try:
        with built.guarded(method, row, function):
            yield
    except Fault as fault:
        raise workspace.survived(fault) from fault


def rejected(row: str, reject: Reject) -> Rejected:
    """The record of a row that is rejected."""
    fault = isinstance(reject.__cause__, Fault)
    return Rejected(id=row, reason=printable(reject.reason), transient=bool(reject.transient), fault=fault)


def dropped(row: str, reject: Reject) -> Drop | Rejected:
    """What a filter has decided: it drops a row that it rejects, and loses one that it fails on."""
    found = rejected(row, reject)
    return found if found.fault else Drop(found.reason)


def accepted(workspace: Workspace, built: Built[Any], source: Source, split: str) -> Iterator[Example | Rejected]:
    """Yield the rows of a source; one that is not an example as the interface describes it is `Rejected`.

    A generator ends when it raises. Where the source knows its size, the rows that are not read are rejected too, and
    count towards the threshold; else nobody knows how many are lost.

    Args:
        workspace: of the run.
        built: the source, or the benchmark that has it, which is named where the source is registered nowhere.
        source: the source.
        split: to read.

    Raises:
        Fault: the source failed, so that no further row can be read; or the recipe is strict.
    """
    number = failures = 0
    built = replace(built, component=source, entry=REGISTERED.get(type(source), built.entry))
    with built.guarded("examples"):
        rows = iter(source.examples(split))
    while failures < MOST_FAILURES:
        number += 1
        try:
            with built.guarded("examples", f"row {number}"):
                item = next(rows, _END)
        except (Fault, Reject) as error:
            failures += 1
            unread = _unread(built, source, split, number, error) if inspect.isgenerator(rows) else None
            reject = workspace.survived(error) if isinstance(error, Fault) else error
            yield rejected(f"row {number}", reject)
            if unread is not None:
                yield from unread
                return
            continue
        if item is _END:
            return
        failures = 0
        yield _checked(workspace, built, item, number)
    raise Fault.of(f"{named(built.entry)} failed in examples on {MOST_FAILURES} rows, one after another")


def _checked(workspace: Workspace, built: Built[Any], item: Any, number: int) -> Example | Rejected:
    if isinstance(item, Rejected):
        return Rejected(id=_id(item, number), reason=printable(item.reason), transient=bool(item.transient))
    try:
        with rejecting(workspace, built, "examples", id := _id(item, number)):
            return check_example(item)
    except Reject as reject:
        return rejected(id, reject)


def _unread(built: Built[Any], source: Source, split: str, read: int, error: Fault | Reject) -> Iterable[Rejected]:
    """The rows that a generator which has raised can no longer yield.

    Raises:
        Fault: their number is not known.
    """
    with built.guarded("size"):
        size = check_size(source.size(split))
    if size is None:
        told = error.reason if isinstance(error, Fault) else f"{named(built.entry)} raised Reject ({error.reason})"
        ended = Fault.of(f"{told}, which ended it; nobody knows how many rows follow", f"row {read}")
        ended.remedy = "Yield Rejected for a row that cannot be used: a generator cannot go on after an exception."
        raise ended from error
    left = range(read + 1, size + 1)
    return (Rejected(id=f"row {number}", reason="not read: the source ended with an exception") for number in left)


def decided(
    workspace: Workspace,
    built: Built[Any],
    method: str,
    rows: Iterable[R],
    id_of: Callable[[R], str],
    decide: Callable[[Iterator[R]], Iterable[tuple[str, D]]],
) -> Iterator[tuple[R, D | Drop | Rejected]]:
    """Pair rows with the decisions of a filter that is given all of them.

    One that fails while it has a single row decides row by row: that row is rejected, and a new call goes on with the
    next. One that has taken more cannot be told which row it failed on. Rows it makes no decision on are rejected.

    Args:
        workspace: of the run.
        built: the filter.
        method: that is called.
        rows: to decide on.
        id_of: the id of a row.
        decide: calls the filter; yields the id of a row and the decision, checked.

    Raises:
        Fault: it failed on several rows at once; or the recipe is strict.
    """
    waiting: dict[str, R] = {}
    left, guard, has_more = iter(rows), built.guarded(method), True

    def fed() -> Iterator[R]:
        nonlocal has_more
        for row in left:
            guard.row = id_of(row)
            waiting[guard.row] = row
            yield row
        has_more = False

    while has_more:
        try:
            with guard:
                for id, decision in decide(fed()):
                    if id not in waiting:
                        raise WrongResult(f"it decided on row {id}, which it was not given, or twice")
                    yield waiting.pop(id), decision
                if waiting:
                    guard.row = next(iter(waiting))
                    raise WrongResult(f"it made no decision on {counted(len(waiting), 'row')}")
            return
        except Reject as reject:
            failed = reject
        except Fault as fault:
            if len(waiting) > 1 and not isinstance(fault.__cause__, WrongResult):
                raise
            failed = workspace.survived(fault)
        if not waiting:
            raise Fault.of(f"{named(built.entry)} failed in {method} between rows: {failed}")
        for id in list(waiting):
            yield waiting.pop(id), dropped(id, failed)


def check_lost(workspace: Workspace, step: Step, writer: StageWriter, lost: int, taken: int) -> None:
    """Refuse the output of filters that failed on too many rows.

    Raises:
        DataError: more than the recipe allows.
    """
    if lost > workspace.reject_above * taken:
        raise lost_too_many(workspace, writer, f"Stage {step.name}: its filters", lost, taken, "fix the filter")


def _id(item: Any, number: int) -> str:
    """The id of a rejected row, or its number where it has none."""
    id = getattr(item, "id", None)
    return printable(id)[:_NAMED] if isinstance(id, str | int) and id != "" else f"row {number}"
