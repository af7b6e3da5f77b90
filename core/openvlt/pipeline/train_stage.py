"""The stage that trains a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from openvlt.engines import model_file, model_shape
from openvlt.errors import DataError, UsageError
from openvlt.interfaces import Memory, Trainer, Workload
from openvlt.pipeline.hours import Hours, estimated
from openvlt.pipeline.memory_plan import DoesNotFit, Need, gigabytes, gpus_here, need, workload
from openvlt.pipeline.model_checks import REPLY, check_asked, check_model, describe_asked, describe_model
from openvlt.pipeline.stage import Context, Description, Made, RowStage, Stage
from openvlt.pipeline.trace_stages import Select
from openvlt.records import Model, ModelShape
from openvlt.registry import Built
from openvlt.registry.guard import answer
from openvlt.results import check_hours, check_memory, check_note, check_number, check_planned_gpus
from openvlt.stages.asker import model_options
from openvlt.stages.launch import check_machines
from openvlt.stages.train import Rewards, check_count, count_rows, train
from openvlt.stages.workspace import NotDone, Workspace


@dataclass(frozen=True, eq=False, kw_only=True)
class Train(Stage[Model]):
    """One phase.

    Attributes:
        examples: what it learns from.
        trainer: the component.
        start: the model training starts from; ``base`` and ``policy`` are the run's own.
        trained: the training stage before it, whose model is ``policy``; None where there is none.
        rewards: for a trainer that asks for them.
        min_rows: see `openvlt.stages.train.check_count`.
        seed: of the training; None is the run's.
    """

    examples: RowStage
    trainer: Built[Trainer]
    start: Model
    trained: Stage[Model] | None
    rewards: Rewards
    min_rows: int | None = None
    seed: int | None = None

    stage_kind: ClassVar[str] = "train"

    @property
    def most(self) -> int | None:
        """Traces, pairs or examples at most, whichever the trainer reads."""
        selected, reads = self.examples, self.trainer.component.reads
        if not isinstance(selected, Select) or reads == "prompts" or selected.most is None:
            return selected.most
        traces = selected.most_traces or 0
        return traces if reads == "traces" else min(traces // 2, selected.most * (selected.judged.traces.samples // 2))

    @property
    def _imitates_incorrect(self) -> bool:
        selected = self.examples if self.trainer.component.reads == "traces" else None
        return isinstance(selected, Select) and all(built.component.keeps_incorrect for built in selected.filters)

    def describe(self, workspace: Workspace) -> Description:
        found = describe_model(self.trainer.entry.name, self.most, self.start, workspace)
        found = replace(found, note="")  # it is no backend that runs it
        found = describe_asked(
            found, {f"verifiers.{name}.model": model for name, model in self.rewards.models.items()}, workspace
        )
        needed, problem = self._need(workspace)
        memory, terms = (needed.total, needed.terms) if needed else (None, {})
        found = replace(found, memory=memory, terms=terms, problem=problem)
        trainer, (shape, work) = self.trainer.component, self._work(workspace)
        note = f"{answer(trainer, 'memory_note', check_note, shape, work)} {found.note}".strip()
        machines, used = answer(trainer, "planned_gpus", check_planned_gpus, work.gpus)
        return replace(
            found,
            hours=self._hours(needed) if needed else None,
            note=note,
            gpus=f"{machines} x {used}" if machines > 1 else f"{used}",
            server_gpus=answer(trainer, "server_devices", check_number),
            server_terms=self._server(shape, work),
        )

    def _work(self, workspace: Workspace) -> tuple[ModelShape | None, Workload]:
        """The shape of the model, as far as it is known, and what it is trained on."""
        located = self._located(workspace)
        shape = None if located.url else model_shape(located)
        reply = self.examples.judged.traces.reply if isinstance(self.examples, Select) else REPLY
        return shape, workload(located, shape, reply, workspace.gpus or gpus_here())

    def _need(self, workspace: Workspace) -> tuple[Need | None, UsageError | None]:
        """What the trainer needs of each GPU, and why the model or the GPUs do not allow it, if so."""
        (shape, work), located = self._work(workspace), self._located(workspace)
        try:
            if not located.url and (config := model_file(located)):
                with self.trainer.guarded("check_model"):
                    self.trainer.component.check_model(config)
            found = need(self.trainer.component, shape, work)
        except UsageError as error:
            return None, error
        if found and not found.fits:
            return found, found.problem("The training", self._settings)
        served = sum(self._server(shape, work).values())
        if work.gpus.count and served > work.gpus.size:
            needed = f"{gigabytes(served)} GB of each of its GPUs"
            return found, DoesNotFit.of("The server of the training", needed, work.gpus)
        return found, None

    def _server(self, shape: ModelShape | None, work: Workload) -> Memory:
        return answer(self.trainer.component, "server_memory", check_memory, shape, work) if shape else {}

    def _settings(self, change: Mapping[str, Any]) -> Mapping[str, Any]:
        return {f"{self._key}.{name}": value for name, value in change.items()}

    def _hours(self, needed: Need) -> Hours | None:
        trainer, shape, work = self.trainer.component, needed.shape, needed.work
        return estimated(lambda rows: answer(trainer, "hours", check_hours, shape, work, rows), self.most)

    def _located(self, workspace: Workspace) -> Model:
        """What it starts from, as far as it is known before the run: a policy has the shape of the base."""
        return workspace.locate(replace(self.start, id="base") if self.start.id == "policy" else self.start)

    @property
    def _key(self) -> str:
        return f"train.{self.name.rpartition('-')[0]}"

    def check(self, workspace: Workspace) -> None:
        key = self._key
        check_model(workspace, self.start, f"phase {self.name}", f"{key}.start", reply=None)
        for option, model in model_options(self.trainer).items():
            check_model(workspace, model, f"{option} of {self.name}", f"{key}.{option}")
        for name, built in self.rewards.verifiers.items():
            check_asked(workspace, built, f"verifiers.{name}.model", in_step=True)
        if workspace.locate(self.start).url:
            raise UsageError(
                f"The phase {self.name} starts from a model at an endpoint, which cannot be trained.",
                f"Set {key}.start to a folder or a hub id.",
            )
        try:
            if problem := self._need(workspace)[1]:
                raise problem
            with self.trainer.guarded("check_machine"):
                self.trainer.component.check_machine()
            check_machines(self.trainer.component)
        except UsageError as error:
            option = error.option and f"iterations.{self.iteration - 1}.{key}.trainer.{error.option}"
            raise UsageError(f"Stage {self.name}: {error.problem}", error.remedy, option) from error
        try:
            if (most := self.most) is not None:
                check_count(self.name, most, self.trainer.component, self.min_rows)
        except DataError as error:  # what the recipe asks for is too little already
            raise UsageError(error.problem, error.remedy) from error

    def run(self, context: Context) -> Made[Model]:
        workspace = context.workspace
        workspace.models["policy"] = context.policy(self.trained)
        rows = context.value(self.examples)
        if self._imitates_incorrect and not workspace.dry_run:
            workspace.progress.note(
                f"Warning: {self.name} imitates incorrect traces too; a filter such as correct would drop them."
            )
        start = workspace.locate(self.start)
        try:
            seeded = workspace if self.seed is None else replace(workspace, seed=self.seed)
            made, folder = train(
                seeded, self.name, self.iteration, rows, self.trainer, start, self.rewards, self.min_rows
            )
        except NotDone:  # a plan: what is to be learned from is known
            count_rows(self.name, rows, self.trainer.component, self.min_rows)
            raise
        return Made(made.record, replace(start, id=str(folder), revision=None))
