"""Distill: a teacher writes k chains for each example, from its caption or from its images."""

from __future__ import annotations

from dataclasses import replace

from openvlt.engines import Resolved
from openvlt.interfaces import Teacher
from openvlt.records import Example, Rejected, Row, Trace
from openvlt.registry import Built
from openvlt.stages.ask import Ask
from openvlt.stages.filling import Value
from openvlt.stages.map import map_stage
from openvlt.stages.workspace import Output, Step, Workspace


def distill(
    workspace: Workspace, name: str, iteration: int, inputs: Output, teacher: Built[Teacher], model: Resolved
) -> Output:
    """Sample k chains per example; samples that are not traces are counted, examples without a trace rejected."""
    work = chains(workspace, teacher, model)
    step = Step("distill", name, iteration, (work.identity, teacher.component.sampling.n, inputs.digest))
    return map_stage(workspace, step, inputs, work, _finish, inputs.record.out)


def chains(workspace: Workspace, teacher: Built[Teacher], model: Resolved | None) -> Ask:
    """The work of sampling chains."""
    assert model is not None
    component = teacher.component
    converses = type(component).run is not Teacher.run

    def shown(row: Row) -> Example:
        return row.example.in_words() if component.uses_caption else row.example

    return Ask(
        workspace,
        teacher,
        teacher.identity,
        model,
        component.sampling,
        messages=lambda row: component.messages(shown(row), row.caption),
        parse=component.parse,
        value_type=Trace,
        run=(lambda row, chat: component.run(shown(row), row.caption, chat)) if converses else None,
        given=(lambda row: (row.example, row.caption)) if converses else None,
    )


def _finish(row: Row, values: list[Value | Rejected]) -> Row | Rejected:
    traces = tuple(value for value in values if isinstance(value, Trace))
    if traces:
        return replace(row, traces=traces)
    return values[0] if len(values) == 1 else Rejected(id=row.example.id, reason="no sample is a trace")
