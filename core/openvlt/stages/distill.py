"""Distill: a teacher writes chains for each example, from its caption or from its images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from openvlt.engines import Resolved
from openvlt.errors import Reject
from openvlt.interfaces import ProgramTeacher, Teacher
from openvlt.records import Example, Rejected, Row, Trace
from openvlt.registry import Built
from openvlt.results import check_type
from openvlt.stages.ask import MODEL, Ask
from openvlt.stages.filling import Value
from openvlt.stages.make import Make, Opened
from openvlt.stages.map import map_stage
from openvlt.stages.workspace import Output, Step, Workspace


def distill(
    workspace: Workspace, name: str, iteration: int, inputs: Output, teacher: Built[Any], models: Mapping[str, Resolved]
) -> Output:
    """Sample chains of each example; samples that are not traces are counted, examples without a trace rejected.

    Args:
        workspace: of the run.
        name: of the stage.
        iteration: of the stage.
        inputs: the examples, with captions for a teacher that uses them.
        teacher: a `Teacher`, or a `ProgramTeacher`.
        models: that a `Teacher` asks, by the option that names each; none for a program.
    """
    work = chains(workspace, teacher, models)
    step = Step("distill", name, iteration, (work.identity, teacher.component.samples, inputs.digest))
    return map_stage(workspace, step, inputs, work, _finish, inputs.record.out)


def chains(workspace: Workspace, teacher: Built[Any], models: Mapping[str, Resolved]) -> Ask | Make:
    """The work of sampling chains; see `distill`."""
    component = teacher.component
    if isinstance(component, ProgramTeacher):
        return _made(workspace, teacher)
    converses = type(component).run is not Teacher.run

    def shown(row: Row) -> Example:
        return row.example.in_words() if component.uses_caption else row.example

    return Ask(
        workspace,
        teacher,
        teacher.identity,
        models[MODEL],
        component.sampling,
        messages=lambda row: component.messages(shown(row), row.caption),
        parse=component.parse,
        value_type=Trace,
        run=(lambda row, chat: component.run(shown(row), row.caption, chat)) if converses else None,
        given=(lambda row: (row.example, row.caption)) if converses else None,
        others={name: model for name, model in models.items() if name != MODEL},
    )


def _made(workspace: Workspace, teacher: Built[ProgramTeacher]) -> Make:
    def write(opened: Opened, row: Row, sample: int) -> Trace:
        trace = opened(row.example, row.caption, sample)
        if trace is None:
            raise Reject("the program writes no chain")
        return replace(check_type(trace, Trace, "a Trace"), sample=sample)

    return Make(
        workspace, teacher, "distill", Trace,
        subject=lambda row: (row.example, row.caption), make=write, samples=teacher.component.samples,
    )  # fmt: skip


def _finish(row: Row, values: list[Value | Rejected]) -> Row | Rejected:
    traces = tuple(value for value in values if isinstance(value, Trace))
    if traces:
        return replace(row, traces=traces)
    return values[0] if len(values) == 1 else Rejected(id=row.example.id, reason="no sample is a trace")
