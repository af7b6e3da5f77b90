"""A workspace on made sums, for the tests of the stages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openvlt import Model
from openvlt.interfaces import Kind
from openvlt.records import StageRecord
from openvlt.registry import Built, Registry
from openvlt.stages.caption import caption
from openvlt.stages.distill import distill
from openvlt.stages.load import load
from openvlt.stages.select import select
from openvlt.stages.train import Rewards, train
from openvlt.stages.verify import verify
from openvlt.stages.workspace import Output, Workspace
from openvlt.verification import Weights


@dataclass
class Bench:
    """Carries out single stages, and knows what the model was asked."""

    workspace: Workspace
    model: Path
    log: Path

    def build(self, kind: Kind, use: str, **options: Any) -> Built[Any]:
        return self.workspace.registry.build(kind, {"use": use, **options}, format=self.workspace.format)

    def load(
        self, *, limit: int | None = None, split: str = "train", held_out: frozenset[str] = frozenset(), **options: Any
    ) -> Output:
        source = self.build("source", "made", **options)
        return load(self.workspace, "load-1", 1, source, split, limit, held_out)

    def caption(self, rows: Output) -> Output:
        captioner = self.build("captioner", "qwen-vl", model=self._model(), prompt="Describe the image.")
        return caption(self.workspace, "caption-1", 1, rows, captioner, {"model": self._resolved()})

    def distill(self, rows: Output, teacher: str = "tutor", **options: Any) -> Output:
        built = self.build("teacher", teacher, model=self._model(), **options)
        return distill(self.workspace, "distill-1", 1, rows, built, {"model": self._resolved()})

    def verify(self, rows: Output, weights: Mapping[str, Any] | None = None, **verifiers: Mapping[str, Any]) -> Output:
        specs = verifiers or {"answer": {"use": "answer"}, "format": {"use": "format"}}
        built = {name: self.workspace.registry.build("verifier", spec) for name, spec in specs.items()}
        return verify(self.workspace, "verify-1", 1, rows, built, Weights.of(weights or {}, {}))

    def select(self, rows: Output, *filters: Mapping[str, Any]) -> Output:
        built = [self.workspace.registry.build("filter", spec) for spec in filters]
        return select(self.workspace, "select-1", 1, rows, built)

    def train(
        self,
        rows: Output,
        use: str,
        start: Path,
        weights: Mapping[str, Any] | None = None,
        specs: Mapping[str, Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> tuple[Output, Path]:
        trainer = self.build("trainer", use, **options)
        verifiers = {name: self.build("verifier", **(specs or {}).get(name, {"use": name})) for name in weights or {}}
        rewards = Rewards(verifiers, weights or {})
        model = Model(id=str(start), pixels=(32 * 32, 64 * 64))
        return train(self.workspace, f"{use}-1", 1, rows, trainer, model, rewards)

    def asked(self) -> list[dict[str, Any]]:
        """What the model was asked since the last look: text, sample, temperature, number of images."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def _model(self) -> dict[str, str]:
        return {"id": str(self.model), "backend": "fake"}

    def _resolved(self) -> Any:
        return self.workspace.resolve(Model(id=str(self.model), backend="fake"))


class Heard:
    """Remembers what a stage says of its progress."""

    def __init__(self) -> None:
        self.done = 0
        self.total: int | None = None
        self.notes: list[str] = []

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        self.total = total

    def advance(self, done: int, **counts: float) -> None:
        self.done += done

    def end(self, record: StageRecord) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


def bench(home: Any, plugins: Sequence[Path], model: Path, log: Path) -> Bench:
    return Bench(Workspace(home, Registry.discover(plugins)), model, log)
