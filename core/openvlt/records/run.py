"""A recipe carried out: its stages, their counts, its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from openvlt.records.bench import BenchResult

RunStatus: TypeAlias = Literal["running", "done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """One step of a loop, carried out.

    Attributes:
        stage_kind: ``load``, ``filter``, ``caption``, ``distill``, ``verify``, ``select``, ``train``, ``bench`` or
            ``score``.
        name: unique within the run, such as ``grpo-2``.
        iteration: 1 for the first; 0 for what precedes it.
        fingerprint: hex digest of the components and of the digests of what went in.
        folder: where its output lies, relative to the store.
        cached: True if nothing had to be computed.
        seconds: wall time of this run's part of the work.
        taken: rows that went in.
        out: rows that came out.
        rejected: rows left out, by reason.
        counts: further counts and measures, such as tokens or a training's last metrics.
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

    def as_json(self) -> dict[str, Any]:
        """The record as ``openvlt runs --json`` shows it."""
        return {
            "stage_kind": self.stage_kind,
            "name": self.name,
            "iteration": self.iteration,
            "fingerprint": self.fingerprint,
            "folder": self.folder,
            "cached": self.cached,
            "seconds": round(self.seconds, 3),
            "in": self.taken,
            "out": self.out,
            "rejected": dict(self.rejected),
            "counts": dict(self.counts),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A recipe carried out.

    Attributes:
        name: unique within the store.
        recipe: name of the recipe.
        status: how it stands.
        stages: in the order they ended.
        scores: in the order they were reached.
        model: folder of the model it led to, empty until there is one.
        notes: choices made on the user's behalf, with their reasons.
    """

    name: str
    recipe: str
    status: RunStatus
    stages: tuple[StageRecord, ...] = ()
    scores: tuple[BenchResult, ...] = ()
    model: str = ""
    notes: tuple[str, ...] = ()
