"""What a recipe would do: its stages, their components, models and memory, and what is done already."""

from __future__ import annotations

from dataclasses import dataclass, replace

from openvlt.engines import size_in_bytes
from openvlt.interfaces import Teacher
from openvlt.loop.loop import Loop
from openvlt.loop.parts import Loaded, Turn
from openvlt.loop.preflight import OVERHEAD, parameters
from openvlt.records import Model
from openvlt.stages.workspace import NotDone


@dataclass(frozen=True, slots=True)
class Planned:
    """A stage that is to come.

    Attributes:
        name: of the stage.
        component: what carries it out.
        rows: rows it works on at most, None where only the work tells.
        model: what runs.
        memory: bytes it needs, about; None where nobody knows.
        cached: True if its output lies there already.
    """

    name: str
    component: str
    rows: int | None = None
    model: str = ""
    memory: float | None = None
    cached: bool = False


def plan(loop: Loop) -> list[Planned]:
    """List the stages of a recipe without carrying out any."""
    stages = _listed(loop)
    loop.workspace.dry = True
    try:
        loop.carry_out()
    except NotDone:
        pass
    finally:
        loop.workspace.dry = False
    done = {record.name for record in loop.run.stages}
    return [replace(stage, cached=stage.name in done) for stage in stages]


def _listed(loop: Loop) -> list[Planned]:
    parts = loop.parts
    if loop.until is not None:
        questions = [Planned(f"load-{each.name}", each.name) for each in parts.benchmarks]
        traces = _traces(loop, 1, parts.turns[0])
        return questions + traces[: [stage.name for stage in traces].index(f"{loop.until}-1") + 1]
    stages: list[Planned] = []
    for each in parts.benchmarks:
        name = each.name
        stages.append(Planned(f"load-{name}", name))
        stages += [Planned(f"bench-{name}-{baseline}", baseline) for baseline in each.benchmark.baselines()]
    stages += _scored(loop, "base")
    for index, turn in enumerate(parts.turns, 1):
        stages += _traces(loop, index, turn)
        stages += _trainings(loop, index, turn)
    return stages


def _traces(loop: Loop, index: int, turn: Turn) -> list[Planned]:
    rows = turn.loaded.data.limit or _size(turn.loaded)
    stages = [Planned(f"load-{index}", turn.loaded.source.entry.name, rows)]
    teacher = turn.teacher.component
    assert isinstance(teacher, Teacher)
    if teacher.uses_caption and loop.parts.captioner is not None:
        captioner, model = loop.parts.captioner
        stages.append(_asked(loop, f"caption-{index}", captioner.entry.name, model, rows))
    traces = rows * teacher.sampling.n if rows else None
    stages.append(_asked(loop, f"distill-{index}", turn.teacher.entry.name, turn.model, traces))
    stages.append(Planned(f"verify-{index}", ", ".join(loop.parts.verifiers), traces))
    stages.append(Planned(f"select-{index}", ", ".join(built.entry.name for built in turn.filters), traces))
    return stages


def _trainings(loop: Loop, index: int, turn: Turn) -> list[Planned]:
    stages: list[Planned] = []
    if turn.sft:
        stages.append(_asked(loop, f"sft-{index}", turn.sft.entry.name, loop.recipe.base, None))
        stages += _scored(loop, f"sft-{index}")
    for number, each in enumerate(turn.grpo, 1):
        name = f"grpo-{index}" if len(turn.grpo) == 1 else f"grpo-{index}.{number}"
        rows = each.loaded.data.limit or _size(each.loaded)
        stages.append(Planned(f"load-{name}", each.loaded.source.entry.name, rows))
        stages.append(_asked(loop, name, each.trainer.entry.name, loop.recipe.base, rows))
        stages += _scored(loop, name)
    return stages


def _scored(loop: Loop, stage: str) -> list[Planned]:
    names = (each.name for each in loop.parts.benchmarks)
    return [_asked(loop, f"bench-{name}-{stage}", name, loop.recipe.base, None) for name in names]


def _asked(loop: Loop, stage: str, component: str, model: Model, rows: int | None) -> Planned:
    where = loop.recipe.base if model.id in ("base", "policy") else model
    located = loop.workspace.locate(where)
    size = size_in_bytes(located)
    if size is None and (count := parameters(located.id)) is not None:
        size = int(count * (4 if located.dtype == "float32" else 2))
    shown = f"{model.id} at {', '.join(model.url)}" if model.url else model.id.rsplit("/site-packages/", 1)[-1]
    return Planned(stage, component, rows, shown, None if model.url or size is None else size * OVERHEAD)


def _size(loaded: Loaded) -> int | None:
    found: int | None = loaded.source.component.size(loaded.data.split)
    return found
