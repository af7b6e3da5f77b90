"""The record of a run: its stages, their counts, its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from openvlt.records.bench import BenchResult

RunStatus: TypeAlias = Literal["running", "done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """The record of one stage.

    Attributes:
        stage_kind: ``load``, ``filter``, ``caption``, ``distill``, ``verify``, ``select``, ``train``, ``bench`` or
            ``score``.
        name: unique within the run, such as ``grpo-2``.
        iteration: from 1; 0 for stages before the first iteration.
        fingerprint: hex digest of the components and of the digests of the inputs.
        folder: folder of the output, relative to the store.
        cached: True if nothing was computed.
        seconds: wall time in this run.
        taken: number of input rows.
        out: number of output rows; 1 of a training.
        rejected: number of rejected rows by reason.
        counts: further counts and measures, such as tokens or the last metrics of a training.
        faults: how often components failed on rows or claims, by what failed, how and where.
    """

    stage_kind: str
    name: str
    iteration: int
    fingerprint: str
    folder: str = ""
    cached: bool = False
    seconds: float = 0.0
    taken: int = 0
    out: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)

    @property
    def made(self) -> str:
        """What came out, for people to read."""
        return "1 model" if self.stage_kind == "train" else f"{self.out:,}"

    def as_json(self) -> dict[str, Any]:
        """The record as ``openvlt runs --json`` shows it."""
        record = {"in" if key == "taken" else key: value for key, value in asdict(self).items()}
        return {**record, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The record of a run of a recipe.

    Attributes:
        name: unique within the store.
        recipe: name of the recipe.
        status: its state.
        planned: names of all its stages, in order.
        stages: in the order they ended.
        scores: in the order they were computed.
        model: folder of the last trained model, empty until there is one.
        notes: choices made on the user's behalf, with their reasons.
        releases: of openvlt and of each plugin that was used, by distribution; of a file, the digest of its content.
    """

    name: str
    recipe: str
    status: RunStatus
    planned: tuple[str, ...] = ()
    stages: tuple[StageRecord, ...] = ()
    scores: tuple[BenchResult, ...] = ()
    model: str = ""
    notes: tuple[str, ...] = ()
    releases: Mapping[str, str] = field(default_factory=dict)
