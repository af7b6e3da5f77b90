"""Stages that make traces: caption, distill, verify, select."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from openvlt.interfaces import Teacher, TraceFilter, Verifier
from openvlt.pipeline.model_checks import check_asked, check_model, describe_asked, describe_model
from openvlt.pipeline.stage import Context, Description, RowStage, Stage
from openvlt.records import Model
from openvlt.registry import Built
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
        model: that a `Captioner` asks; None for a program.
    """

    examples: RowStage
    captioner: Built[Any]
    model: Model | None
    trained: Stage[Model] | None

    stage_kind: ClassVar[str] = "caption"

    @property
    def _reply(self) -> int:
        return int(self.captioner.component.sampling.max_tokens)

    def describe(self, workspace: Workspace) -> Description:
        if self.model is None:
            return Description(self.captioner.entry.name, self.most)
        return describe_model(self.captioner.entry.name, self.most, self.model, workspace, self._reply)

    def check(self, workspace: Workspace) -> None:
        if self.model is not None:
            who = f"captioner {self.captioner.entry.name}"
            check_model(workspace, self.model, who, "captioner.model", self._reply)
            return
        with self.captioner.guarded("revision"):
            self.captioner.component.revision()

    def rows(self, context: Context) -> Output:
        model = context.resolve(self.name, self.model, self.trained) if self.model else None
        rows = context.value(self.examples)
        return caption(context.workspace, self.name, self.iteration, rows, self.captioner, model)


@dataclass(frozen=True, eq=False, kw_only=True)
class Distill(RowStage):
    """Samples chains of a teacher for each example."""

    examples: RowStage
    teacher: Built[Teacher]
    model: Model
    trained: Stage[Model] | None

    stage_kind: ClassVar[str] = "distill"

    @property
    def samples(self) -> int:
        """Chains of each example."""
        return self.teacher.component.sampling.n

    @property
    def reply(self) -> int:
        """Tokens of the longest chain."""
        return self.teacher.component.sampling.max_tokens

    def describe(self, workspace: Workspace) -> Description:
        component = f"{self.teacher.entry.name}, {self.samples} each"
        return describe_model(component, self.most, self.model, workspace, self.reply)

    def check(self, workspace: Workspace) -> None:
        who = f"teacher {self.teacher.entry.name}"
        check_model(workspace, self.model, who, "traces.teacher.model", self.reply)

    def rows(self, context: Context) -> Output:
        model = context.resolve(self.name, self.model, self.trained)
        rows = context.value(self.examples)
        return distill(context.workspace, self.name, self.iteration, rows, self.teacher, model)


@dataclass(frozen=True, eq=False, kw_only=True)
class Verify(RowStage):
    """Gives every trace the verdicts of the recipe's verifiers."""

    traces: Distill
    verifiers: Mapping[str, Built[Verifier]]
    weights: Weights
    trained: Stage[Model] | None

    stage_kind: ClassVar[str] = "verify"

    def describe(self, workspace: Workspace) -> Description:
        return describe_asked(Description(", ".join(self.verifiers), self.most), self.verifiers.values(), workspace)

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

    def describe(self, workspace: Workspace) -> Description:
        found = Description(", ".join(built.entry.name for built in self.filters), self.most)
        return describe_asked(found, self.filters, workspace)

    def check(self, workspace: Workspace) -> None:
        for index, built in enumerate(self.filters):
            check_asked(workspace, built, f"traces.select.{index}.model")

    def rows(self, context: Context) -> Output:
        context.workspace.models["policy"] = context.policy(self.trained)
        judged = context.value(self.judged)
        return select(context.workspace, self.name, self.iteration, judged, self.filters)
