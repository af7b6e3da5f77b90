"""A recipe being carried out: its stages in order, what is recorded of each, and what a plan shows of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from openvlt.errors import DataError, OpenvltError, UsageError
from openvlt.keys import allowed
from openvlt.pipeline.kept_recipe import kept_recipe
from openvlt.pipeline.stage import Context, Description, Scored, Stage, needed_by
from openvlt.pipeline.trace_stages import Select, Verify
from openvlt.pipeline.train_stage import Train
from openvlt.recipe import Recipe
from openvlt.records import Model, Run, RunStatus, StageRecord
from openvlt.stages.launch import Node, take_part, this_node
from openvlt.stages.workspace import NotDone, Workspace
from openvlt.store import (
    claimed_run,
    digest,
    earlier_run,
    extended,
    is_claimed,
    log_stage,
    run_folder,
    write_atomically,
    write_models,
    write_run,
)

POLL_SECONDS = 5.0
"""Between looks of a machine at what the one with rank 0 has done."""


@dataclass
class Pipeline:
    """A compiled recipe with the means to carry it out.

    Attributes:
        workspace: of the run; its models hold the base.
        recipe: what was compiled.
        stages: in the order they are carried out.
        run: the record of this attempt, written after every stage.
        kept: the recipe as it is kept next to the record; empty if it is not.
    """

    workspace: Workspace
    recipe: Recipe
    stages: tuple[Stage[Any], ...]
    run: Run
    kept: str = ""
    context: Context = field(init=False)
    _earlier: Run | None = None
    _problem: DataError | UsageError | None = None

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
            UsageError: what is missing, and what to do instead; after a plan, also what is too little to train on.
            DataError: the data of a stage, or what an earlier run has made of them, cannot be read.
        """
        if (cluster := self.workspace.executor.joins) and "ray" not in allowed():
            raise UsageError(
                f"The recipe {self.recipe.name} runs its models on the Ray cluster at {cluster} (executor), whose "
                "machines get them and the data.",
                "Allow it (--allow ray), or run them here (--set executor=local).",
            )
        for stage in self.stages:
            try:
                stage.check(self.workspace)
            except UsageError as error:
                if not error.option:
                    raise
                raise error.at(self.recipe.position(error.option)) from error
        if self._problem:
            raise self._problem

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
            except UsageError:
                stage.check(self.workspace)  # names the position in the recipe, if it finds the same
                raise
            except DataError as error:  # told by `check`, so that the plan is shown nevertheless
                cached = False
                too_little = stage.stage_kind == "train"
                self._problem = self._problem or (UsageError(error.problem, error.remedy) if too_little else error)
            yield stage, stage.describe(self.workspace), cached

    def claim(self, given: str | None = None, suffix: str = "") -> None:
        """Name the run after its recipe, whose copy will be kept next to its record.

        The same recipe continues under the same name; one that was changed (``--set``) gets a name of its own, so that
        no record is lost. A name the user has given is taken as it is.

        Args:
            given: by the user.
            suffix: tells the runs that several commands make of one recipe apart.

        Raises:
            UsageError: it can be no run's name, or is that of another recipe's run.
        """
        name = self.recipe.name + suffix
        self.kept = self._as_kept(self.recipe.model_copy(update={"name": name}))
        self.run = replace(self.run, name=given or name)
        if self._is_of_another():
            if given:
                raise self._other()
            self.run = replace(self.run, name=f"{name}-{digest(self.kept)[:6]}")

    def carry_out(self) -> Run:
        """Carry out all stages; whatever ends the run, its record says how it ended.

        Raises:
            UsageError: another process is carrying out the same run, or it has become another recipe's.
        """
        trains = [stage.trainer.component for stage in self.stages if isinstance(stage, Train)]
        node = this_node(os.environ) if any(trainer.machines() > 1 for trainer in trains) else None
        if node and node.rank:
            self._take_part(node)
            return self.run
        self.run = replace(self.run, planned=tuple(stage.name for stage in self.stages))
        self.run = replace(self.run, releases=self.workspace.registry.releases())
        home, name = self.workspace.home, self.run.name
        with claimed_run(home, name):
            if self.kept:
                if self._is_of_another():
                    raise self._other()
                write_atomically(self._recipe_file, self.kept.encode())
            self.workspace.uses = partial(log_stage, home, name)
            self._earlier = earlier_run(home, name)
            with self._recorded():
                for stage in self.stages:
                    self._carry_out(stage)
        return self.run

    def _take_part(self, node: Node) -> None:
        """Do this machine's part of the trainings that several machines share, until all stages are done.

        The machine with rank 0 carries out the run, in the same home. A job that is written before the stage is done is
        one to take part in: what starts the processes waits for those of the other machines.

        Args:
            node: this machine.

        Raises:
            OpenvltError: that machine has ended before.
        """
        at_work, note = partial(is_claimed, self.workspace.home, self.run.name), self.workspace.progress.note
        note(f"This machine has rank {node.rank}: it takes part in trainings of the run {self.run.name}.")
        self.workspace.dry_run, begun, awaited = True, False, ""
        for stage in self.stages:
            done = False  # this machine's part; that with rank 0 may still have to keep the model
            while stage.name not in self.context.made:
                claimed = at_work()
                try:
                    self.context.made[stage.name] = stage.run(self.context)
                except NotDone as waiting:
                    if begun and not claimed:
                        raise OpenvltError(
                            f"The machine with rank 0 has ended before the stage {stage.name} was done.",
                            "See what the command printed there; the same command on all machines goes on.",
                        ) from waiting
                    begun = claimed
                    what = stage.name if claimed else f"the machine with rank 0, {node.address}, to begin"
                    if what != awaited:
                        note(f"Waiting for {what}.")
                        awaited = what
                    job = self.workspace.home.stages / waiting.step.fingerprint / "job.json"
                    trainer = stage.trainer.component if isinstance(stage, Train) else None
                    if claimed and not done and trainer and trainer.machines() > 1 and job.exists():
                        note(f"Taking part in {stage.name}; see {job.with_name(f'train-{node.rank}.log')}")
                        done = take_part(trainer, job, at_work)
                    time.sleep(POLL_SECONDS)

    @property
    def _recipe_file(self) -> Path:
        return run_folder(self.workspace.home, self.run.name) / "recipe.json"

    def _is_of_another(self) -> bool:
        """True if there is a record under the run's name which is not of this recipe."""
        path, earlier = self._recipe_file, earlier_run(self.workspace.home, self.run.name)
        try:
            kept = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):  # missing or damaged: it is written anew
            return earlier is not None and earlier.recipe != self.run.recipe
        with suppress(ValueError):  # what an earlier release kept has bare names, and lacks the keys that are new
            kept = json.loads(self._as_kept(Recipe.model_validate(kept)))
        return path.with_name("run.json").exists() and kept != json.loads(self.kept)

    def _as_kept(self, recipe: Recipe) -> str:
        return json.dumps(kept_recipe(recipe, self.workspace.registry), indent=1)

    def _other(self) -> UsageError:
        name = self.run.name
        return UsageError(
            f"The run '{name}' is of another recipe or has other settings; they are in {self._recipe_file}.",
            f"Choose another --name, or remove that run ('openvlt runs remove {name}').",
        )

    def _carry_out(self, stage: Stage[Any]) -> None:
        begun = StageRecord(stage_kind=stage.stage_kind, name=stage.name, iteration=stage.iteration, fingerprint="")
        self.workspace.registry.notify("on_stage_start", run=self.run, stage=begun)
        made = self.context.made[stage.name] = stage.run(self.context)
        value, run = made.value, self.run
        self.run = replace(
            run,
            stages=(*run.stages, made.record),
            scores=(*run.scores, value.result) if isinstance(value, Scored) else run.scores,
            model=value.id if isinstance(value, Model) else run.model,
            notes=tuple(self.context.notes),
            releases=self.workspace.registry.releases(),
        )
        if isinstance(value, Model):
            models = {name: each.value for name, each in self.context.made.items() if isinstance(each.value, Model)}
            write_models(self.workspace.home, run.name, models)
        self._write()
        self.workspace.progress.end(made.record)
        self.workspace.registry.notify("on_stage_end", run=self.run, stage=made.record)

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """Write in the record how the run ends."""
        try:
            self._write("running")
            yield
            self._write("done")
        except KeyboardInterrupt:
            self._write("interrupted")
            with suppress(OSError):  # the terminal may be what has gone
                self.workspace.progress.note(f"The run {self.run.name} is kept: the same command goes on from here.")
            raise
        except BaseException:
            self._write("failed")
            raise
        finally:
            self.workspace.registry.notify("on_run_end", run=self.run)

    def _write(self, status: RunStatus = "running") -> None:
        self.run = replace(self.run, status=status)
        record = extended(self._earlier, self.run)
        if record is not self._earlier:
            write_run(self.workspace.home, record)
