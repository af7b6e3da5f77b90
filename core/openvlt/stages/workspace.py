"""What all stages share: the workspace of a run, and how a stage is claimed, written and reused."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from openvlt.engines import Executor, Local, Resolved, file_digests, locate, resolve
from openvlt.errors import DataError, Fault, Reject, UsageError, counted
from openvlt.interfaces import Gpus
from openvlt.records import Format, Model, Rejected, Row, StageRecord
from openvlt.registry import Registry
from openvlt.stages.progress import Progress, Quiet
from openvlt.store import (
    Home,
    ImageStore,
    StageFolder,
    StageWriter,
    damaged_model,
    digest,
    file_digest,
    locked,
    writing,
)

MOST_TOLD = 10
"""Faults of components that the user is told of; all are counted."""


@dataclass
class Workspace:
    """What the stages of a run work with.

    Attributes:
        home: the store.
        registry: the plugins.
        format: of the policy's prompts and responses.
        models: the run's own models by name, ``base`` and ``policy``.
        executor: where models work.
        progress: receives the progress of stages.
        reject_above: share of rejected rows at which a stage stops.
        seed: of everything random.
        gpus: to plan for; None for those of this machine.
        strict: end with the first component that fails, instead of rejecting the row it fails on.
        dry_run: compute nothing; the first stage that is not complete raises `NotDone`.
        faults: how often components failed on rows, by what failed, how and where.
        uses: told the fingerprint of every stage before it is touched, so that nothing it needs is pruned.
    """

    home: Home
    registry: Registry
    format: Format = field(default_factory=Format)
    models: dict[str, Model] = field(default_factory=dict)
    executor: Executor = field(default_factory=Local)
    progress: Progress = field(default_factory=Quiet)
    reject_above: float = 0.1
    seed: int = 0
    gpus: Gpus | None = None
    strict: bool = False
    dry_run: bool = False
    faults: Counter[str] = field(default_factory=Counter)
    uses: Callable[[str], None] = lambda fingerprint: None
    images: ImageStore = field(init=False)

    def __post_init__(self) -> None:
        self.images = ImageStore(self.home.images)

    def survived(self, fault: Fault) -> Reject:
        """What rejects the row that a component failed on. The user is told of the first of a kind.

        Raises:
            Fault: the recipe is strict.
        """
        if self.strict:
            raise fault
        self.faults[fault.reason] += 1
        if self.faults[fault.reason] == 1 and len(self.faults) <= MOST_TOLD:
            self.progress.note(
                f"Warning: {fault.problem} It is counted, and the run goes on; strict: true would end it."
            )
        reject = Reject(fault.reason, transient=fault.transient)
        reject.__cause__ = fault
        return reject

    def reused(self, stage: str, faults: Mapping[str, int]) -> None:
        """Tell of the faults in what an earlier run has made, which nothing calls again.

        Raises:
            DataError: the recipe is strict.
        """
        if not (old := {reason: count for reason, count in faults.items() if not self.faults[reason]}):
            return
        counted = f"Stage {stage}: {_counted(old)} in what an earlier run has made"
        if self.strict:
            raise DataError(
                f"{counted}, and the recipe is strict.",
                "Fix the component, after which it is made again, or accept these rows (--set strict=false).",
            )
        self.progress.note(f"Warning: {counted}.")

    def locate(self, model: Model) -> Model:
        """The model, its id replaced by a folder, hub id or served id."""
        return locate(model, self.models, self.home)

    def resolve(self, model: Model) -> Resolved:
        """The model with the digest of its content and the backend it runs on."""
        return resolve(model, self.models, self.registry, self.home)


@dataclass(frozen=True, slots=True)
class Output:
    """The output of a stage: its record, and the folder with its rows."""

    record: StageRecord
    folder: StageFolder
    digest: str

    def rows(self) -> Iterator[Row]:
        return self.folder.rows(Row, self.digest)


@dataclass(frozen=True, slots=True)
class Step:
    """A stage to carry out or reuse.

    Attributes:
        stage_kind: as in its record.
        name: unique within the run.
        iteration: from 1; 0 for stages before the first iteration.
        made_of: identities of its components and digests of its inputs, which the fingerprint is a digest of.
    """

    stage_kind: str
    name: str
    iteration: int
    made_of: tuple[Any, ...]

    @property
    def fingerprint(self) -> str:
        return digest(self.stage_kind, *self.made_of)


class NotDone(Exception):
    """Raised in a dry run by the first stage that is not complete."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.name)
        self.step = step


@contextmanager
def claimed(workspace: Workspace, step: Step) -> Iterator[tuple[StageFolder, dict[str, Any] | None]]:
    """Lock a stage's folder; yields it with its summary, or None if the stage is not complete.

    An output whose gaps another run may fill can be used by later stages, but is not complete. Damaged rows are
    recomputed from cached values.

    Raises:
        UsageError: another process is working on the same stage.
        DataError: the model it trained is damaged.
    """
    folder = StageFolder(workspace.home.stages / step.fingerprint)
    if workspace.dry_run:
        summary = _complete(folder)
        if summary is None or folder.damaged(summary) is not None:
            raise NotDone(step)
        yield folder, summary
        return
    workspace.uses(step.fingerprint)
    with writing(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
    busy = UsageError(
        f"Another process is working on the same stage {step.name} ({step.fingerprint[:12]}).",
        "Wait until it has ended, then run this command again to reuse its output.",
    )
    with locked(folder.path.with_suffix(".lock"), busy):
        yield folder, _intact(workspace, step, folder)


def _complete(folder: StageFolder) -> dict[str, Any] | None:
    summary = folder.summary()
    return None if summary and summary.get("transient") else summary


def _intact(workspace: Workspace, step: Step, folder: StageFolder) -> dict[str, Any] | None:
    """The summary of a complete stage whose output is what it wrote, to the byte; None if it is to be computed."""
    summary = _complete(folder)
    if summary is None:
        return None
    if "model" not in summary:
        damaged = folder.damaged(summary, file_digest)
    else:
        digests = file_digests(folder.path / str(summary["model"]), workspace.home)
        damaged = folder.damaged(summary, lambda file: digests.get(file.name))
        if damaged is not None:
            raise damaged_model(damaged)
    if damaged is None:
        return summary
    workspace.progress.note(f"{step.name}: {damaged} is damaged and is recomputed.")
    return None


def write_stage(
    workspace: Workspace, step: Step, rows: Callable[[], Iterable[Row | Rejected]], total: int | None
) -> Output:
    """Carry out a stage that writes its rows in one pass, or reuse it.

    Args:
        workspace: of the run.
        step: the stage.
        rows: yields rows and rejections, in order.
        total: number of rows, None if unknown.
    """
    started = time.monotonic()
    with claimed(workspace, step) as (folder, known):
        if known is not None:
            return reused(workspace, step, folder, known, started)
        workspace.progress.begin(step.name, total, "rows")
        writer = StageWriter(folder)
        try:
            for row in rows():
                if isinstance(row, Rejected):
                    writer.reject(row)
                    continue
                writer.row(row)
                workspace.progress.advance(1)
        finally:
            writer.close()
        summary = writer.finish({"in": writer.out, "transient": writer.transient})
        return output(step, folder, summary, cached=False, started=started)


def lost_too_many(workspace: Workspace, writer: StageWriter, what: str, lost: int, taken: int, fix: str) -> DataError:
    """The error for a stage that lost more rows than the recipe allows.

    Args:
        workspace: knows the limit.
        writer: of the stage's output.
        what: lost them, for the message: ``Stage load-1: source rows``.
        lost: rejected rows.
        taken: all rows.
        fix: what to do about the cause.
    """
    reasons = "; ".join(f"{count} x {reason}" for reason, count in writer.rejected.most_common(3)) or "it has no rows"
    accept = f", or accept the loss (--set reject_above={ceil(100 * lost / taken) / 100:g})" if writer.out else ""
    return DataError(
        f"{what} lost {lost} of {taken} rows, over the limit of {workspace.reject_above:.0%} ({reasons}).",
        f"Look at {writer.folder.path / 'rejected.jsonl'}, and {fix}{accept}.",
    )


def reused(workspace: Workspace, step: Step, folder: StageFolder, summary: Mapping[str, Any], started: float) -> Output:
    """The output of a stage that an earlier run has made.

    Raises:
        DataError: components failed in it, and the recipe is strict.
    """
    workspace.reused(step.name, summary.get("faults", {}))
    return output(step, folder, summary, cached=True, started=started)


def _counted(faults: Mapping[str, int]) -> str:
    """``2 faults (2 x the teacher plain failed in parse)``."""
    total, worst = sum(faults.values()), sorted(faults.items(), key=lambda each: -each[1])[:3]
    reasons = "; ".join(f"{count} x {reason}" for reason, count in worst)
    return f"{counted(total, 'fault')} of components ({reasons})"


def output(step: Step, folder: StageFolder, summary: Mapping[str, Any], *, cached: bool, started: float) -> Output:
    """The output of a stage, from the summary in its folder."""
    record = StageRecord(
        stage_kind=step.stage_kind,
        name=step.name,
        iteration=step.iteration,
        fingerprint=step.fingerprint,
        folder=f"stages/{step.fingerprint}",
        cached=cached,
        seconds=time.monotonic() - started,
        taken=int(summary.get("in", 0)),
        out=int(summary.get("out", 0)),
        rejected=summary.get("rejected", {}),
        counts=summary.get("counts", {}),
        faults=summary.get("faults", {}),
    )
    return Output(record, folder, str(summary["digest"]))
