"""Caption: the images are described in words, without the question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from openvlt.engines import Resolved
from openvlt.interfaces import Captioner, ProgramCaptioner
from openvlt.records import Rejected, Row
from openvlt.registry import Built
from openvlt.stages.ask import MODEL, Ask
from openvlt.stages.filling import Value
from openvlt.stages.make import Make
from openvlt.stages.map import map_stage
from openvlt.stages.workspace import Output, Step, Workspace


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


class _Made(_Captions, Make):
    """Captions of a program, for the rows that have a subject."""


def caption(
    workspace: Workspace,
    name: str,
    iteration: int,
    inputs: Output,
    captioner: Built[Any],
    models: Mapping[str, Resolved],
) -> Output:
    """Caption what is distinct once; a row without images, or of which there is nothing to say, has no caption.

    Args:
        workspace: of the run.
        name: of the stage.
        iteration: of the stage.
        inputs: the examples.
        captioner: a `Captioner`, or a `ProgramCaptioner`.
        models: that a `Captioner` asks, by the option that names each; none for a program.
    """
    work = _asked(workspace, captioner, models) if models else _made(workspace, captioner)
    samples = captioner.component.sampling.n if models else 1
    step = Step("caption", name, iteration, (work.identity, samples, inputs.digest))
    made = map_stage(workspace, step, inputs, work, work.finish, inputs.record.out)
    if made.record.counts.get("captioned") == 0:
        workspace.progress.note(f"Warning: {name}: none of the {made.record.out} rows has a caption.")
    return made


def _made(workspace: Workspace, captioner: Built[ProgramCaptioner]) -> _Made:
    subject = captioner.component.subject
    return _Made(
        workspace, captioner, "describe", str | None,
        subject=lambda row: subject(row.example), make=lambda caption, row, sample: caption(subject(row.example)),
    )  # fmt: skip


def _asked(workspace: Workspace, captioner: Built[Captioner], models: Mapping[str, Resolved]) -> _Asked:
    component = captioner.component
    converses = type(component).run is not Captioner.run
    return _Asked(
        workspace,
        captioner,
        captioner.identity,
        models[MODEL],
        component.sampling,
        messages=lambda row: component.messages(row.example.images),
        parse=component.parse,
        value_type=str,
        run=(lambda row, chat: component.run(row.example.images, chat)) if converses else None,
        given=(lambda row: row.example.images) if converses else None,
        others={name: model for name, model in models.items() if name != MODEL},
    )
