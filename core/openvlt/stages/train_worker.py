"""The child process of a train stage: ``python -m openvlt.stages.train_worker job.json``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openvlt import system
from openvlt.errors import OpenvltError
from openvlt.interfaces import Trainer, Verifier
from openvlt.records import Claim, Example, Format, Image, Model, Row, Trace
from openvlt.registry import Registry
from openvlt.stages.training_rows import training_rows
from openvlt.store import ImageStore, StageFolder, decode, write_atomically
from openvlt.verification import STEP_SECONDS, Reward, RewardRow, VerifierRunner

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


class Job:
    """What the trainer is given; see `openvlt.TrainJob`.

    Args:
        content: of ``job.json``.
        registry: builds the verifiers.
    """

    def __init__(self, content: Mapping[str, Any], registry: Registry) -> None:
        self.model = decode(Model, json.dumps(content["model"]))
        self.format = decode(Format, json.dumps(content["format"]))
        self.folder = Path(content["folder"])
        self.seed = int(content["seed"])
        self._content = content
        self._registry = registry
        self._images = ImageStore(Path(content["images"]))
        self._rank = int(os.environ.get("RANK", "0"))

    @cached_property
    def _rows(self) -> list[tuple[Example, tuple[Trace, ...]]]:
        return list(training_rows(StageFolder(Path(self._content["rows"]).parent).rows(Row), self._content["reads"]))

    @cached_property
    def _examples(self) -> list[Example]:
        return [example for example, _ in self._rows]

    @cached_property
    def _reward(self) -> Reward:
        built = {name: self._registry.build(Verifier, spec) for name, spec in self._content["verifiers"].items()}
        runner = VerifierRunner(built, format=self.format, budget=STEP_SECONDS)
        return Reward(runner, self._content["weights"], self._content["routes"])

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
        lines = [_record(claim, row) for claim, row in zip(claims, rows, strict=True)]
        with (self.folder / f"completions-{self._rank}.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        return rows

    def log(self, metrics: Mapping[str, float]) -> None:
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")

    def concerns(self) -> list[str]:
        """What the user should know about the verifiers: unreadable golds, internal errors."""
        if "_reward" not in self.__dict__:
            return []
        tallies = self._reward.runner.tallies.items()
        return [f"verifier '{name}': {concern}" for name, tally in tallies for concern in tally.concerns]

    def tallies(self) -> dict[str, float]:
        """Verdicts over the whole training, counted by verifier and status."""
        if "_reward" not in self.__dict__:
            return {}
        return {
            f"{name}/{status}": float(count)
            for name, tally in self._reward.runner.tallies.items()
            for status, count in tally.statuses.items()
        }


def _record(claim: Claim, row: RewardRow) -> dict[str, Any]:
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
    """Carry out a job; the result, or an error the user can act on, is written to its folder."""
    content = json.loads(path.read_bytes())
    folder = Path(content["folder"])
    try:
        registry = Registry.discover([Path(file) for file in content["files"]])
        trainer = registry.build(Trainer, content["trainer"]).component
        job = Job(content, registry)
        checkpoint = trainer.train(job)
    except OpenvltError as error:
        record = {"type": type(error).__name__, "problem": error.problem, "remedy": error.remedy}
        write_atomically(folder / "error.json", json.dumps(record).encode())
        sys.exit(error.exit_code)
    if int(os.environ.get("RANK", "0")) == 0:
        result = {
            "folder": str(checkpoint.folder),
            "metrics": {**checkpoint.metrics, **job.tallies()},
            "concerns": job.concerns(),
        }
        write_atomically(folder / "result.json", json.dumps(result).encode())


if __name__ == "__main__":
    system.die_with_parent()
    run(Path(sys.argv[1]))
