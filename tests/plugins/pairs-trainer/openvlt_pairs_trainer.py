"""A plugin with a training phase of its own: a trainer that reads pairs, in one file."""

import shutil
from dataclasses import dataclass
from typing import ClassVar

from openvlt import Checkpoint, Reads, Register, Trainer, TrainJob, hookimpl


@hookimpl
def register_trainers(register: Register) -> None:
    register("count-pairs", CountPairs, summary="counts the pairs and copies the model")


@dataclass(frozen=True)
class CountPairs(Trainer):
    """Counts the pairs, those whose chosen trace has the right answer, and those whose rejected one has."""

    reads: ClassVar[Reads] = "pairs"

    def train(self, job: TrainJob) -> Checkpoint:
        pairs = list(zip(job.examples(), job.pairs(), strict=True))
        job.log({"step": 1, "steps": 1})
        target = job.folder / "model"
        shutil.copytree(job.model.id, target, dirs_exist_ok=True)
        chosen = sum(example.answer == chosen.answer for example, (chosen, _) in pairs)
        rejected = sum(example.answer == rejected.answer for example, (_, rejected) in pairs)
        return Checkpoint(target, {"pairs": len(pairs), "chosen correct": chosen, "rejected correct": rejected})
