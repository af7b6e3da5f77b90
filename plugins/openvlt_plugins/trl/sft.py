"""Supervised fine-tuning with TRL's SFTTrainer on prompt, completion and images; only the completion has a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from openvlt import ModelShape, Option, TrainJob, Workload
from openvlt_plugins.trl import dataset, hours
from openvlt_plugins.trl.trainer import LearningRate, SaveSteps, Schedule, TrlTrainer, Warmup, WeightDecay, Workers


@dataclass(frozen=True)
class Sft(TrlTrainer):
    """Trains the model on the selected traces.

    The defaults are OpenVLThinker's published values (arXiv 2503.17352 v3, Table 13).
    """

    method: ClassVar[str] = "SFT"

    learning_rate: LearningRate = 5e-7
    epochs: Annotated[int, Ge(1), Option("passes over the traces")] = 1
    batch: Annotated[int, Ge(1), Option("traces per update, over all processes", unit="traces")] = 32
    device_batch: Annotated[int, Ge(1), Option("traces a device holds at once", unit="traces")] = 2
    schedule: Schedule = "cosine"
    warmup: Warmup = 0.1
    weight_decay: WeightDecay = 0.0
    save_steps: SaveSteps = 100
    workers: Workers = 0

    def hours(self, shape: ModelShape, work: Workload, rows: int) -> float | None:
        return hours.of_passes(self, shape, work, rows=rows * self.epochs, reply=work.reply)

    def responses(self, job: TrainJob) -> dict[str, Any]:
        traces = job.traces()
        return {"completion": lambda index: job.format.target(traces[index])}

    def fields(self, job: TrainJob, processor: Any, longest: int) -> dict[str, Any]:
        return {
            "shuffle_dataset": False,
            "train_sampling_strategy": "sequential",
            "max_length": None,
            "completion_only_loss": True,
            "save_steps": self.save_steps,
            "dataloader_num_workers": self.workers,
        }

    def trainer(self, job: TrainJob, base: Any, **shared: Any) -> Any:
        # TRL divides by the tokens of the whole update, over all micro-batches and processes, but tells transformers
        # only for models whose forward says so: else the loss would be a mean of the means of micro-batches.
        shared["model"].accepts_loss_kwargs = True
        replies = self.responses(job)
        data = dataset.lazy(job, len(job.examples()) * self.epochs, shared["processing_class"], **replies)
        return base(train_dataset=data, **shared)
