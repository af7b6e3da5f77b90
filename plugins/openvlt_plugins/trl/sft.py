"""Supervised fine-tuning with TRL's SFTTrainer on prompt, completion and images; only the completion has a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge

from openvlt import Option, TrainJob
from openvlt_plugins.trl import dataset
from openvlt_plugins.trl.trainer import LearningRate, SaveSteps, Schedule, TrlTrainer, Warmup, WeightDecay, Workers


@dataclass(frozen=True)
class Sft(TrlTrainer):
    """Trains the model on the selected traces.

    The defaults are OpenVLThinker's published values (arXiv 2503.17352 v3, Table 13).
    """

    learning_rate: LearningRate = 5e-7
    epochs: Annotated[int, Ge(1), Option("passes over the traces")] = 1
    batch: Annotated[int, Ge(1), Option("traces per update, over all processes", unit="traces")] = 32
    device_batch: Annotated[int, Ge(1), Option("traces a device holds at once", unit="traces")] = 2
    schedule: Schedule = "cosine"
    warmup: Warmup = 0.1
    weight_decay: WeightDecay = 0.0
    save_steps: SaveSteps = 100
    workers: Workers = 0

    def trainer(self, job: TrainJob, **shared: Any) -> Any:
        from trl import SFTConfig, SFTTrainer

        replies = [job.format.target(trace) for trace in job.traces()]
        config = SFTConfig(
            **self.arguments(job),
            shuffle_dataset=False,
            max_length=None,
            completion_only_loss=True,
            save_steps=self.save_steps,
            dataloader_num_workers=self.workers,
        )
        data = dataset.lazy(job, len(replies) * self.epochs, shared["processing_class"], completion=replies)
        return SFTTrainer(args=config, train_dataset=data, **shared)
