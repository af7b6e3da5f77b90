"""Caption: the images are described in words, without the question."""

from __future__ import annotations

from openvlt.engines import Resolved
from openvlt.interfaces import Captioner
from openvlt.records import Rejected, Row
from openvlt.registry import Built
from openvlt.stages.ask import Ask
from openvlt.stages.filling import Value
from openvlt.stages.map import map_stage
from openvlt.stages.workspace import Output, Step, Workspace


class _Captions(Ask):
    """Captions of the rows that have images."""

    def keys(self, row: Row) -> list[str]:
        return super().keys(row) if row.example.images else []


def caption(
    workspace: Workspace, name: str, iteration: int, inputs: Output, captioner: Built[Captioner], model: Resolved
) -> Output:
    """Caption each distinct tuple of images once; a row without images has no caption, and none is asked for."""
    component = captioner.component
    converses = type(component).run is not Captioner.run
    work = _Captions(
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
    step = Step("caption", name, iteration, (work.identity, component.sampling.n, inputs.digest))
    return map_stage(workspace, step, inputs, work, _finish, inputs.record.out)


def _finish(row: Row, values: list[Value | Rejected]) -> Row | Rejected:
    value = values[0] if values else None
    return value if isinstance(value, Rejected) else Row(example=row.example, caption=value)
