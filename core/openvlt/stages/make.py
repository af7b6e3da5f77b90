"""Values that a program makes: captions, chains and facts for which no model is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from openvlt.errors import Reject
from openvlt.interfaces import Program
from openvlt.records import Rejected, Row
from openvlt.registry import Built
from openvlt.results import check_callable, check_made
from openvlt.stages.accepting import rejected, rejecting
from openvlt.stages.filling import Task, Value
from openvlt.stages.workspace import Workspace
from openvlt.store import digest, numbered

Opened: TypeAlias = Callable[..., Any]
"""What an open program yields."""


@dataclass
class Make:
    """The values of a program, one row after the other.

    Attributes:
        workspace: of the run.
        program: makes them.
        what: it does, in the identity of its values.
        value_type: type of a value.
        subject: what the values of a row are made of, and kept by; nothing is made of an empty one.
        make: calls the open program, with the row and the index of the value.
        samples: values of a row.
    """

    workspace: Workspace
    program: Built[Program]
    what: str
    value_type: Any
    subject: Callable[[Row], Any]
    make: Callable[[Opened, Row, int], Value]
    samples: int = 1
    chunk: int = 16
    parallel: int = 1
    replies: Sequence[str] = ()
    _opened: Opened | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _counts: Counter[str] = field(default_factory=Counter)

    @cached_property
    def identity(self) -> str:
        with self.program.guarded("revision"):
            return digest(self.what, self.program.identity, self.program.component.revision())

    def keys(self, row: Row) -> list[str]:
        try:
            base = self._key(row)
        except Reject as reject:
            return [digest(self.identity, "rejected", reject.reason)]
        return [numbered(base, sample) for sample in range(self.samples)] if base else []

    def compute(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        opened = self._open()
        values = [[self._made(opened, task.row, sample) for sample in task.wanted] for task in tasks]
        self._counts["rejected"] += sum(isinstance(value, Rejected) for of_task in values for value in of_task)
        return values

    def counts(self) -> dict[str, float]:
        return dict(self._counts)

    def close(self) -> None:
        self._opened = None
        with suppress(Reject), rejecting(self.workspace, self.program, "close", ""):  # its values are here
            self._stack.close()

    def _key(self, row: Row) -> str:
        """What the values of a row are kept by; empty if there are none."""
        with rejecting(self.workspace, self.program, "subject", row.example.id):
            subject = self.subject(row)
            return digest(self.identity, subject) if subject else ""

    def _open(self) -> Opened:
        if self._opened is None:
            with self.program.guarded("open"):
                opened = self.program.component.open(self.workspace.images.read)
                self._opened = check_callable(self._stack.enter_context(opened))
        return self._opened

    def _made(self, opened: Opened, row: Row, sample: int) -> Value | Rejected:
        try:
            self._key(row)  # may reject the row
            with rejecting(self.workspace, self.program, "the function of open", row.example.id, opened):
                return check_made(self.make(opened, row, sample), self.value_type)
        except Reject as reject:
            return rejected(row.example.id, reject)
