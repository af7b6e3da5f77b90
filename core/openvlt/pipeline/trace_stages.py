"""Stages that make traces: caption, distill, verify, select."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from openvlt.interfaces import Captioner, Program, Teacher, TraceFilter, Verifier
from openvlt.pipeline.model_checks import check_asked, check_model, describe_asked, describe_model
from openvlt.pipeline.stage import Context, Description, RowStage, Stage
from openvlt.records import Model
from openvlt.registry import Built
from openvlt.results import check_size
from openvlt.stages.ask import MODEL
from openvlt.stages.asker import models_asked
from openvlt.stages.caption import caption
from openvlt.stages.distill import distill
from openvlt.stages.select import select
from openvlt.stages.verify import verify
from openvlt.stages.workspace import Output, Workspace
from openvlt.verification import Weights


@dataclass(frozen=True, eq=False, kw_only=True)
class Caption(RowStage):
    """Captions the images of each example.

    Attributes:
        captioner: a `Captioner`, or a `ProgramCaptioner`.
        models: that a `Captioner` asks, by the option that names each; none for a program.
    """

    examples: RowStage
    captioner: Built[Any]
    models: Mapping[str, Model]
    trained: Stage[Model] | None

    stage_kind: ClassVar[str] = "caption"

    @property
    def _reply(self) -> int:
        return int(self.captioner.component.sampling.max_tokens) if self.models else 0

    def describe(self, workspace: Workspace) -> Description:
        once = getattr(type(self.captioner.component), "run", None) is Captioner.run
        return _described(
            self.captioner.entry.name, self.most, self.models, workspace, self._reply, int(once), "captioner"
        )

    def check(self, workspace: Workspace) -> None:
        _check(self.captioner, self.models, workspace, "captioner", self._reply)

    def rows(self, context: Context) -> Output:
        models = {name: context.resolve(self.name, model, self.trained) for name, model in self.models.items()}
        rows = context.value(self.examples)
        return caption(context.workspace, self.name, self.iteration, rows, self.captioner, models)


def _described(
    component: str,
    most: int | None,
    models: Mapping[str, Model],
    workspace: Workspace,
    reply: int,
    samples: int,
    key: str,
) -> Description:
    """What a plan shows of a stage that runs `models`, if any; `key` is its component's, see `describe_model`."""
    if not models:
        return Description(component, most)
    others = {f"{key}.{name}": model for name, model in models.items() if name != MODEL}
    found = describe_model(component, most, models[MODEL], workspace, reply, samples, f"{key}.{MODEL}")
    return describe_asked(found, others, workspace)


def _check(built: Built[Any], models: Mapping[str, Model], workspace: Workspace, key: str, reply: int) -> None:
    """Refuse a model that cannot run here, and data of a program that cannot be used."""
    for name, model in models.items():
        check_model(workspace, model, f"{built.entry.kind} {built.entry.name}", f"{key}.{name}", reply)
    if isinstance(built.component, Program):
        with built.guarded("revision"):
            built.component.revision()


@dataclass(frozen=True, eq=False, kw_only=True)
class Distill(RowStage):
    """Samples chains of a teacher for each example.

    Attributes:
        teacher: a `Teacher`, or a `ProgramTeacher`.
        models: that a `Teacher` asks, by the option that names each; none for a program.
    """

    examples: RowStage
    teacher: Built[Any]
    models: Mapping[str, Model]
    trained: Stage[Model] | None

    stage_kind: ClassVar[str] = "distill"

    @property
    def samples(self) -> int:
        """Chains of each example."""
        return int(self.teacher.component.samples)

    @property
    def reply(self) -> int:
        """Tokens of the longest chain; 0 where a program writes it."""
        return int(self.teacher.component.sampling.max_tokens) if self.models else 0

    @property
    def _key(self) -> str:
        return f"iterations.{self.iteration - 1}.traces.teacher"

    def describe(self, workspace: Workspace) -> Description:
        component = f"{self.teacher.entry.name}, {self.samples} each"
        once = getattr(type(self.teacher.component), "run", None) is Teacher.run
        return _described(component, self.most, self.models, workspace, self.reply, self.samples * once, self._key)

    def check(self, workspace: Workspace) -> None:
        _check(self.teacher, self.models, workspace, self._key, self.reply)

    def rows(self, context: Context) -> Output:
        models = {name: context.resolve(self.name, model, self.trained) for name, model in self.models.items()}
        rows = context.value(self.examples)
        return distill(context.workspace, self.name, self.iteration, rows, self.teacher, models)


@dataclass(frozen=True, eq=False, kw_only=True)
class Verify(RowStage):
    """Gives every trace the verdicts of the recipe's verifiers."""

    traces: Distill
    verifiers: Mapping[str, Built[Verifier]]
    weights: Weights
    trained: Stage[Model] | None

    stage_kind: ClassVar[str] = "verify"

    def describe(self, workspace: Workspace) -> Description:
        found = Description(", ".join(self.verifiers), self.most)
        asked = {
            f"verifiers.{name}.model": model
            for name, built in self.verifiers.items()
            for model in models_asked([built])
        }
        return describe_asked(found, asked, workspace)

    def check(self, workspace: Workspace) -> None:
        for name, built in self.verifiers.items():
            check_asked(workspace, built, f"verifiers.{name}.model")

    def rows(self, context: Context) -> Output:
        context.workspace.models["policy"] = context.policy(self.trained)
        traces = context.value(self.traces)
        return verify(context.workspace, self.name, self.iteration, traces, self.verifiers, self.weights)


@dataclass(frozen=True, eq=False, kw_only=True)
class Select(RowStage):
    """Applies the trace filters in order."""

    judged: Verify
    filters: tuple[Built[TraceFilter], ...]
    trained: Stage[Model] | None

    stage_kind: ClassVar[str] = "select"

    @property
    def _key(self) -> str:
        return f"iterations.{self.iteration - 1}.traces.select"

    @property
    def most(self) -> int | None:
        """Rows at most; each has a trace."""
        known = (self.judged.most, self.most_traces)
        return min((count for count in known if count is not None), default=None)

    @property
    def most_traces(self) -> int | None:
        """Traces of all rows at most, None if these are known only afterwards."""
        rows, samples = self.judged.most, self.judged.traces.samples
        if rows is None:
            return None
        most = rows * samples
        for built in self.filters:
            with built.guarded("keeps_at_most"):
                kept = check_size(built.component.keeps_at_most(min(rows, most), samples))
            most = most if kept is None else min(most, kept)
        return most

    def describe(self, workspace: Workspace) -> Description:
        found = Description(", ".join(built.entry.name for built in self.filters), self.most)
        asked = {
            f"{self._key}.{index}.model": model
            for index, built in enumerate(self.filters)
            for model in models_asked([built])
        }
        return describe_asked(found, asked, workspace)

    def check(self, workspace: Workspace) -> None:
        for index, built in enumerate(self.filters):
            check_asked(workspace, built, f"{self._key}.{index}.model")

    def rows(self, context: Context) -> Output:
        context.workspace.models["policy"] = context.policy(self.trained)
        judged = context.value(self.judged)
        return select(context.workspace, self.name, self.iteration, judged, self.filters)
