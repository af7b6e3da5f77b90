"""A recipe being carried out: its stages in order, what is recorded of each, and what a plan shows of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from openvlt.errors import UsageError
from openvlt.keys import allowed
from openvlt.pipeline.stage import Context, Description, Scored, Stage, needed_by
from openvlt.pipeline.trace_stages import Select, Verify
from openvlt.recipe import Recipe
from openvlt.records import Model, Run, RunStatus
from openvlt.stages.workspace import NotDone, Workspace
from openvlt.store import Home, claimed_run, digest, run_folder, write_atomically, write_models, write_run


@dataclass
class Pipeline:
    """A compiled recipe with the means to carry it out.

    Attributes:
        workspace: of the run; its models hold the base.
        recipe: what was compiled.
        stages: in the order they are carried out.
        run: the record, written after every stage.
    """

    workspace: Workspace
    recipe: Recipe
    stages: tuple[Stage[Any], ...]
    run: Run
    context: Context = field(init=False)

    def __post_init__(self) -> None:
        base = self.workspace.locate(self.recipe.base)
        self.workspace.models |= {"base": base, "policy": base}
        self.context = Context(self.workspace)

    def up_to(self, stage_kind: str) -> None:
        """Keep the stages that the first traces need, up to ``select`` or to the ``verify`` it chooses from.

        Raises:
            UsageError: the recipe makes no traces.
        """
        select = next((stage for stage in self.stages if isinstance(stage, Select)), None)
        if select is None:
            raise UsageError(f"The recipe {self.recipe.name} has no traces.", "Add the key traces to it.")
        names = needed_by(select.judged if stage_kind == Verify.stage_kind else select)
        self.stages = tuple(stage for stage in self.stages if stage.name in names)

    def check(self) -> None:
        """Refuse, before any work, what cannot be carried out here.

        Raises:
            UsageError: what is missing, and what to do instead.
        """
        if (cluster := self.workspace.executor.joins) and "ray" not in allowed():
            raise UsageError(
                f"The recipe {self.recipe.name} runs its models on the Ray cluster at {cluster} (executor), whose "
                "machines get them and the data.",
                "Allow it (--allow ray), or run them here (--set executor=local).",
            )
        for stage in self.stages:
            stage.check(self.workspace)

    def plan(self) -> Iterator[tuple[Stage[Any], Description, bool]]:
        """Yield every stage with its description, and whether it is done already; nothing is carried out."""
        self.workspace.dry_run = True
        for stage in self.stages:
            cached = all(each.name in self.context.made for each in stage.inputs)
            try:
                if cached:
                    self.context.made[stage.name] = stage.run(self.context)
            except NotDone:
                cached = False
            yield stage, stage.describe(self.workspace), cached

    def carry_out(self) -> Run:
        """Carry out all stages; whatever ends the run, its record says how it ended.

        Raises:
            UsageError: another process is carrying out the same run.
        """
        self.run = replace(self.run, planned=tuple(stage.name for stage in self.stages))
        with claimed_run(self.workspace.home, self.run.name), self._recorded():
            for stage in self.stages:
                self._carry_out(stage)
        return self.run

    def _carry_out(self, stage: Stage[Any]) -> None:
        made = self.context.made[stage.name] = stage.run(self.context)
        value, run = made.value, self.run
        self.run = replace(
            run,
            stages=(*run.stages, made.record),
            scores=(*run.scores, value.result) if isinstance(value, Scored) else run.scores,
            model=value.id if isinstance(value, Model) else run.model,
            notes=tuple(self.context.notes),
        )
        if isinstance(value, Model):
            models = {name: each.value for name, each in self.context.made.items() if isinstance(each.value, Model)}
            write_models(self.workspace.home, run.name, models)
        write_run(self.workspace.home, self.run)
        self.workspace.progress.end(made.record)
        self.workspace.registry.notify("on_stage_end", run=self.run, stage=made.record)

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """Write in the record how the run ends."""
        self._record("running")
        try:
            yield
        except KeyboardInterrupt:
            self._record("interrupted")
            raise
        except BaseException:
            self._record("failed")
            raise
        self._record("done")

    def _record(self, status: RunStatus) -> None:
        self.run = replace(self.run, status=status)
        write_run(self.workspace.home, self.run)
        if status != "running":
            self.workspace.registry.notify("on_run_end", run=self.run)


def claim_name(home: Home, recipe: Recipe, given: str | None = None) -> str:
    """Name a run after its recipe, and keep the recipe next to its record.

    The same recipe continues under the same name; one that was changed (``--set``) gets a name of its own, so that no
    record is lost. A name the user has given is taken as it is.

    Raises:
        UsageError: it can be no run's name.
    """
    resolved = json.dumps(recipe.model_dump(mode="json"), indent=1)
    for name in (given,) if given else (recipe.name, f"{recipe.name}-{digest(resolved)[:6]}"):
        path = run_folder(home, name) / "recipe.json"
        if given or not path.exists():
            write_atomically(path, resolved.encode())
        if path.read_text(encoding="utf-8") == resolved:
            break
    return name
