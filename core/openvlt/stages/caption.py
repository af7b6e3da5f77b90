"""Caption: the images are described in words, without the question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from openvlt.engines import Resolved
from openvlt.errors import Reject
from openvlt.interfaces import Captioner, ProgramCaptioner
from openvlt.records import Rejected, Row
from openvlt.registry import Built
from openvlt.results import check_callable, check_made
from openvlt.stages.accepting import rejected, rejecting
from openvlt.stages.ask import Ask
from openvlt.stages.filling import Task, Value
from openvlt.stages.map import map_stage
from openvlt.stages.workspace import Output, Step, Workspace
from openvlt.store import digest, numbered


class _Captions:
    """What both ways to make captions share: the output row, and how many have a caption."""

    _counts: Counter[str]

    def finish(self, row: Row, values: list[Value | Rejected]) -> Row | Rejected:
        value = values[0] if values else None
        if isinstance(value, Rejected):
            return value
        self._counts["captioned"] += bool(value)  # zero is a count too
        return Row(example=row.example, caption=value or None)


class _Asked(_Captions, Ask):
    """Captions of a model, for the rows that have images."""

    def keys(self, row: Row) -> list[str]:
        return super().keys(row) if row.example.images else []


@dataclass
class _Made(_Captions):
    """Captions of a program, for the rows that have a subject; one row after the other."""

    workspace: Workspace
    captioner: Built[ProgramCaptioner]
    value_type: Any = str | None
    chunk: int = 16
    parallel: int = 1
    replies: Sequence[str] = ()
    _caption: Callable[[Any], str | None] | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _counts: Counter[str] = field(default_factory=Counter)

    @cached_property
    def identity(self) -> str:
        with self.captioner.guarded("revision"):
            return digest("describe", self.captioner.identity, self.captioner.component.revision())

    def keys(self, row: Row) -> list[str]:
        try:
            _, key = self._subject(row)
        except Reject as reject:
            return [digest(self.identity, "rejected", reject.reason)]
        return [key] if key else []

    def compute(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        self._open()
        values = [self._made(task.row) for task in tasks]
        self._counts["rejected"] += sum(isinstance(value, Rejected) for value in values)
        return [[value] for value in values]

    def counts(self) -> dict[str, float]:
        return dict(self._counts)

    def close(self) -> None:
        self._caption = None
        with suppress(Reject), rejecting(self.workspace, self.captioner, "close", ""):  # its captions are here
            self._stack.close()

    def _subject(self, row: Row) -> tuple[Any, str]:
        """The subject of a row, and its key; none for an empty one."""
        with rejecting(self.workspace, self.captioner, "subject", row.example.id):
            subject = self.captioner.component.subject(row.example)
            return subject, numbered(digest(self.identity, subject), 0) if subject else ""

    def _open(self) -> None:
        if self._caption is None:
            with self.captioner.guarded("open"):
                opened = self.captioner.component.open(self.workspace.images.read)
                self._caption = check_callable(self._stack.enter_context(opened))

    def _made(self, row: Row) -> Any:
        assert self._caption is not None
        try:
            subject, _ = self._subject(row)
            with rejecting(self.workspace, self.captioner, "the function of open", row.example.id, self._caption):
                return check_made(self._caption(subject), self.value_type)
        except Reject as reject:
            return rejected(row.example.id, reject)


def caption(
    workspace: Workspace,
    name: str,
    iteration: int,
    inputs: Output,
    captioner: Built[Any],
    model: Resolved | None,
) -> Output:
    """Caption what is distinct once; a row without images, or of which there is nothing to say, has no caption.

    Args:
        workspace: of the run.
        name: of the stage.
        iteration: of the stage.
        inputs: the examples.
        captioner: a `Captioner`, or a `ProgramCaptioner`.
        model: that a `Captioner` asks; None for a program.
    """
    work = _Made(workspace, captioner) if model is None else _asked(workspace, captioner, model)
    samples = 1 if model is None else captioner.component.sampling.n
    step = Step("caption", name, iteration, (work.identity, samples, inputs.digest))
    made = map_stage(workspace, step, inputs, work, work.finish, inputs.record.out)
    if made.record.counts.get("captioned") == 0:
        workspace.progress.note(f"Warning: {name}: none of the {made.record.out} rows has a caption.")
    return made


def _asked(workspace: Workspace, captioner: Built[Captioner], model: Resolved) -> _Asked:
    component = captioner.component
    converses = type(component).run is not Captioner.run
    return _Asked(
        workspace,
        captioner,
        captioner.identity,
        model,
        component.sampling,
        messages=lambda row: component.messages(row.example.images),
        parse=component.parse,
        value_type=str,
        run=(lambda row, chat: component.run(row.example.images, chat)) if converses else None,
        given=(lambda row: row.example.images) if converses else None,
    )
