"""The child process of a train stage: ``python -m openvlt.stages.train_worker job.json``."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openvlt.errors import OpenvltError
from openvlt.interfaces import Trainer, Verifier
from openvlt.records import Claim, Example, Format, Image, Model, Row, Trace
from openvlt.registry import Registry
from openvlt.stages.training_rows import training_rows
from openvlt.store import ImageStore, StageFolder, decode, write_atomically
from openvlt.verification import Reward, RewardRow, VerifierRunner

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


class Job:
    """What the trainer is given; see `openvlt.TrainJob`.

    Args:
        told: the content of ``job.json``.
        registry: builds the verifiers.
    """

    def __init__(self, told: Mapping[str, Any], registry: Registry) -> None:
        self.model = decode(Model, json.dumps(told["model"]))
        self.format = decode(Format, json.dumps(told["format"]))
        self.folder = Path(told["folder"])
        self.seed = int(told["seed"])
        self._told = told
        self._registry = registry
        self._images = ImageStore(Path(told["images"]), decoded=1024)
        self._rank = int(os.environ.get("RANK", "0"))

    @cached_property
    def _rows(self) -> list[tuple[Example, tuple[Trace, ...]]]:
        return list(training_rows(StageFolder(Path(self._told["rows"]).parent).rows(Row), self._told["reads"]))

    @cached_property
    def _examples(self) -> list[Example]:
        return [example for example, _ in self._rows]

    @cached_property
    def _reward(self) -> Reward:
        built = {name: self._registry.build(Verifier, spec) for name, spec in self._told["verifiers"].items()}
        return Reward(VerifierRunner(built, format=self.format), self._told["weights"], self._told["routes"])

    def examples(self) -> Sequence[Example]:
        return self._examples

    def traces(self) -> Sequence[Trace]:
        return [trace for _, (trace,) in self._rows]

    def pairs(self) -> Sequence[tuple[Trace, Trace]]:
        return [(chosen, rejected) for _, (chosen, rejected) in self._rows]

    def read(self, image: Image) -> Picture:
        return self._images.read(image)

    def reward(self, claims: Sequence[Claim]) -> list[RewardRow]:
        rows = self._reward.score(claims)
        lines = [_told(claim, row) for claim, row in zip(claims, rows, strict=True)]
        with (self.folder / f"completions-{self._rank}.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        return rows

    def log(self, metrics: Mapping[str, float]) -> None:
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")

    def concerns(self) -> list[str]:
        """What a person must know of the verifiers: golds that cannot be read, failures of ours."""
        if "_reward" not in self.__dict__:
            return []
        tallies = self._reward.runner.tallies.items()
        return [f"verifier '{name}': {concern}" for name, tally in tallies for concern in tally.concerns]

    def tallies(self) -> dict[str, float]:
        """How the verifiers fared over the whole training, by verifier and status."""
        if "_reward" not in self.__dict__:
            return {}
        return {
            f"{name}/{status}": float(count)
            for name, tally in self._reward.runner.tallies.items()
            for status, count in tally.statuses.items()
        }


def _told(claim: Claim, row: RewardRow) -> dict[str, Any]:
    verdicts = {
        name: {"status": verdict.status, "score": verdict.score, "reason": verdict.reason}
        for name, verdict in row.verdicts.items()
    }
    return {
        "id": claim.example.id,
        "group": claim.group,
        "response": claim.response,
        "answer": claim.answer,
        "gold": claim.example.answer,
        "finish_reason": claim.trace.finish_reason,
        "reward": row.reward,
        "verdicts": verdicts,
    }


def run(path: Path) -> None:
    """Carry out a job; the result, or the error a user can act on, is left in its folder."""
    told = json.loads(path.read_bytes())
    folder = Path(told["folder"])
    try:
        registry = Registry.discover([Path(file) for file in told["files"]])
        trainer = registry.build(Trainer, told["trainer"]).component
        job = Job(told, registry)
        checkpoint = trainer.train(job)
    except OpenvltError as error:
        said = {"kind": type(error).__name__, "problem": error.problem, "remedy": error.remedy}
        write_atomically(folder / "error.json", json.dumps(said).encode())
        sys.exit(error.exit_code)
    if int(os.environ.get("RANK", "0")) == 0:
        result = {
            "folder": str(checkpoint.folder),
            "metrics": {**checkpoint.metrics, **job.tallies()},
            "concerns": job.concerns(),
        }
        write_atomically(folder / "result.json", json.dumps(result).encode())


def _die_with_parent() -> None:
    """Leave as soon as standard input closes: the parent is gone, and nobody would read the result."""
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_die_with_parent, daemon=True).start()
    run(Path(sys.argv[1]))
