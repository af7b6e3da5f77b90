"""What the trainers share: options, micro-batches, TRL's arguments, and the steps of a training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Interval

from openvlt import Checkpoint, Memory, ModelShape, Option, Trainer, TrainJob, UsageError, Workload
from openvlt_plugins.trl import memory, policy, reporting, stopping

LearningRate = Annotated[float, Interval(gt=0, lt=1), Option("peak learning rate")]
Schedule = Annotated[
    Literal[
        "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"
    ],
    Option("learning rate schedule, by its name in transformers"),
]
Warmup = Annotated[float, Interval(ge=0, le=1), Option("fraction of the updates over which the rate increases")]
WeightDecay = Annotated[float, Ge(0), Option("weight decay of AdamW")]
SaveSteps = Annotated[int, Ge(1), Option("updates between checkpoints", unit="updates", affects_output=False)]
Tracker: TypeAlias = Literal[
    "azure_ml", "clearml", "codecarbon", "comet_ml", "dagshub", "dvclive", "flyte", "kubeflow", "mlflow", "neptune",
    "swanlab", "tensorboard", "trackio", "wandb",
]  # fmt: skip
SECRETS: Mapping[str, tuple[str, ...]] = {
    "wandb": ("WANDB_API_KEY",),
    "comet_ml": ("COMET_API_KEY",),
    "mlflow": ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD"),
    "neptune": ("NEPTUNE_API_TOKEN",),
    "clearml": ("CLEARML_API_ACCESS_KEY", "CLEARML_API_SECRET_KEY"),
    "swanlab": ("SWANLAB_API_KEY",),
    "trackio": ("HF_TOKEN",),
}
"""Secret environment variables that a tracker reads, by its name in transformers."""
Workers = Annotated[int, Ge(0), Option("processes that decode images", affects_output=False)]


@dataclass(frozen=True)
class TrlTrainer(Trainer):
    """A training method of TRL; subclasses choose the trainer and have their own published defaults."""

    learning_rate: LearningRate
    batch: int
    device_batch: int
    schedule: Schedule
    warmup: Warmup
    weight_decay: WeightDecay
    max_grad_norm: Annotated[float, Ge(0), Option("norm to which gradients are clipped; 0 for no clipping")] = 1.0
    freeze: Annotated[tuple[Literal["vision", "projector"], ...], Option("frozen parts")] = ("vision", "projector")
    lora_rank: Annotated[int, Ge(0), Option("rank of LoRA adapters, merged at the end; 0 trains all weights")] = 0
    devices: Annotated[
        Annotated[int, Ge(1)] | Literal["auto"], Option("processes on each machine, one per GPU; auto for all GPUs")
    ] = "auto"
    nodes: Annotated[int, Ge(1), Option("machines", affects_output=False)] = 1
    parallel: Annotated[
        Literal["auto", "ddp", "fsdp2", "zero2", "zero3"], Option("how the model is divided over the devices")
    ] = "auto"
    precision: Annotated[
        Literal["mixed", "bf16"], Option("bf16 arithmetic over float32 weights, or bf16 throughout")
    ] = "mixed"
    optimizer: Annotated[Literal["adamw", "adamw-8bit", "paged-adamw-8bit", "adamw-offload"], Option("optimizer")] = (
        "adamw"
    )
    gradient_checkpointing: Annotated[
        Literal["auto", "on", "off"], Option("compute activations twice instead of keeping them")
    ] = "auto"
    report_to: Annotated[tuple[Tracker, ...], Option("trackers", affects_output=False)] = ()

    def __post_init__(self) -> None:
        held = self.device_batch * self.processes()
        if self.batch % held:
            above = (self.batch // held + 1) * held
            possible = f"{above - held} or {above}" if above > held else above
            raise UsageError(
                f"A batch of {self.batch} cannot be divided into micro-batches of {self.device_batch} on each of "
                f"{self.processes()} devices (options batch, device_batch and devices).",
                f"Choose batch as a multiple of device_batch x devices, such as {possible}.",
            )

    def processes(self) -> int:
        return 1 if self.devices == "auto" else self.devices

    def memory(self, shape: ModelShape, work: Workload) -> Memory | None:
        return memory.needed(self, shape, work, sequences=self.device_batch, reply=work.reply, reference=False)

    def savings(self) -> Sequence[Mapping[str, Any]]:
        return memory.SAVINGS

    def secrets(self) -> Sequence[str]:
        return [name for tracker in self.report_to for name in SECRETS.get(tracker, ())]

    def train(self, job: TrainJob) -> Checkpoint:
        model, processor = policy.load(job.model, self.freeze, job.seed, job.checkpoint)
        with stopping.requests() as came:
            trainer = self.trainer(
                job,
                model=model,
                processing_class=processor,
                peft_config=policy.adapters(self.lora_rank, model),
                callbacks=[reporting.callback(job), stopping.callback(came, self.updates)],
            )
            if job.checkpoint:
                reporting.recount(trainer, job.checkpoint)
            trainer.train(resume_from_checkpoint=job.checkpoint and str(job.checkpoint))
        stopping.end_if_stopped(trainer)
        return policy.save(trainer, processor, job.model, job.folder)

    @property
    def updates(self) -> int:
        """Updates between the points that a training can go on from."""
        return 1

    @abstractmethod
    def trainer(self, job: TrainJob, **shared: Any) -> Any:
        """TRL's trainer, with its configuration and data; `shared` are the arguments common to all trainers."""

    def arguments(self, job: TrainJob) -> dict[str, Any]:
        """The fields that all of TRL's configurations have; the training is one epoch, see `dataset.in_epochs`."""
        import torch

        gpu = torch.cuda.is_available()
        return {
            "output_dir": str(job.folder),
            "seed": job.seed,
            "learning_rate": self.learning_rate,
            "lr_scheduler_type": self.schedule,
            "warmup_steps": self.warmup,
            "weight_decay": self.weight_decay,
            "max_grad_norm": self.max_grad_norm,
            "num_train_epochs": 1,
            "per_device_train_batch_size": self.device_batch,
            "gradient_accumulation_steps": self.batch // (self.device_batch * self.processes()),
            "bf16": gpu,
            "gradient_checkpointing": gpu,
            "use_cpu": not gpu,
            "logging_steps": 1,
            "save_total_limit": 2,
            "remove_unused_columns": False,
            "report_to": list(self.report_to) or "none",
            "disable_tqdm": True,
        }
