"""Direct preference optimisation with TRL's DPOTrainer: prompt, a correct and an incorrect trace, images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from annotated_types import Ge, Gt

from openvlt import Format, Memory, ModelShape, Option, Reads, Trace, TrainJob, UsageError, Workload
from openvlt_plugins.trl import dataset, hours, memory
from openvlt_plugins.trl.trainer import LearningRate, SaveSteps, Schedule, TrlTrainer, Warmup, WeightDecay, Workers

Loss: TypeAlias = Literal[
    "sigmoid", "sigmoid_norm", "hinge", "ipo", "bco_pair", "nca_pair", "sppo_hard", "aot", "apo_zero", "sft"
]


@dataclass(frozen=True)
class Dpo(TrlTrainer):
    """Makes correct traces more likely and incorrect ones less likely than under the starting model.

    The loss and `beta` are those of the paper (arXiv 2305.18290); the other defaults are those of InternVL's released
    script for preferences between correct and incorrect reasoning (arXiv 2411.10442; OpenGVLab/InternVL,
    ``internvl_chat/shell/internvl2.0_mpo/preference_optimization``). Its mixed loss is ``loss_type: [sigmoid,
    bco_pair, sft]`` with ``loss_weights: [0.8, 0.2, 1.0]``.
    """

    reads: ClassVar[Reads] = "pairs"
    method: ClassVar[str] = "DPO"

    learning_rate: LearningRate = 5e-6
    epochs: Annotated[int, Ge(1), Option("passes over the pairs")] = 1
    batch: Annotated[int, Ge(1), Option("pairs per update, over all processes", unit="pairs")] = 256
    device_batch: Annotated[int, Ge(1), Option("pairs a device holds at once", unit="pairs")] = 1
    beta: Annotated[float, Gt(0), Option("strength of the penalty on deviation from the starting model")] = 0.1
    loss_type: Annotated[tuple[Loss, ...], Option("losses; their weighted sum is minimised")] = ("sigmoid",)
    loss_weights: Annotated[tuple[Annotated[float, Ge(0)], ...], Option("weight of each loss; all 1 if empty")] = ()
    schedule: Schedule = "cosine"
    warmup: Warmup = 0.03
    weight_decay: WeightDecay = 0.05
    save_steps: SaveSteps = 100
    workers: Workers = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss_weights and len(self.loss_weights) != len(self.loss_type):
            raise UsageError(
                f"DPO has {len(self.loss_weights)} loss_weights, but {len(self.loss_type)} in loss_type.",
                "Give one weight per loss, or none.",
            )

    def memory(self, shape: ModelShape, work: Workload) -> Memory | None:
        return memory.needed(self, shape, work, sequences=2 * self.device_batch, reply=work.reply, reference=True)

    def hours(self, shape: ModelShape, work: Workload, rows: int) -> float | None:
        return hours.of_passes(self, shape, work, rows=rows * self.epochs, each=2, reply=work.reply, forward=1)

    def responses(self, job: TrainJob) -> dict[str, Any]:
        pairs = job.pairs()
        return {
            "chosen": lambda index: _reply(pairs[index][0], job.format),
            "rejected": lambda index: _reply(pairs[index][1], job.format),
        }

    def fields(self, job: TrainJob, processor: Any, longest: int) -> dict[str, Any]:
        return {
            "train_sampling_strategy": "sequential",
            "max_length": None,
            "beta": self.beta,
            "loss_type": list(self.loss_type),
            "loss_weights": list(self.loss_weights) or None,
            "save_steps": self.save_steps,
            "dataloader_num_workers": self.workers,
        }

    def trainer(self, job: TrainJob, base: Any, **shared: Any) -> Any:
        replies = self.responses(job)
        data = dataset.lazy(job, len(job.examples()) * self.epochs, shared["processing_class"], **replies)
        # The reference model is the starting model also on resume: TRL loads it from the folder that the policy was
        # created from; the checkpoint only replaces the policy's weights. Under LoRA it is the policy without adapters.
        return base(train_dataset=data, **shared)


def _reply(trace: Trace, format: Format) -> str:
    """The same format for both sides, so that DPO does not learn the format; a reply without an answer is unchanged."""
    return trace.raw if trace.answer is None else format.target(trace)
