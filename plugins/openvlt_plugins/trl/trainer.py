"""What the trainers share: options, micro-batches, TRL's arguments, and the steps of a training."""

from __future__ import annotations

import json
import logging
import os
import shutil
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from annotated_types import Ge, Interval

from openvlt import (
    Checkpoint,
    Gpus,
    Memory,
    Model,
    ModelShape,
    Option,
    Trainer,
    TrainJob,
    UsageError,
    Workload,
    visible_gpus,
)
from openvlt_plugins.trl import dataset, lengths, memory, opening, parts, policy, reporting, sharing, stopping
from openvlt_plugins.trl.opening import Extra, TrainerClass
from openvlt_plugins.trl.sharing import (
    Attention,
    Checkpointing,
    Devices,
    Liger,
    Nodes,
    Optimizer,
    Parallel,
    Precision,
    Sharing,
)

LearningRate = Annotated[float, Interval(gt=0, lt=1), Option("peak learning rate")]
Schedule = Annotated[
    Literal[
        "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"
    ],
    Option("learning rate schedule, by its name in transformers"),
]
LAST_RATE = 1e-7
"""Where transformers' polynomial schedule ends (``get_polynomial_decay_schedule_with_warmup``)."""
Warmup = Annotated[float, Interval(ge=0, le=1), Option("fraction of the updates over which the rate increases")]
WeightDecay = Annotated[float, Ge(0), Option("weight decay of AdamW")]
SaveSteps = Annotated[int, Ge(1), Option("updates between checkpoints", unit="updates", affects_output=False)]
Tracker: TypeAlias = Literal[
    "azure_ml", "clearml", "codecarbon", "comet_ml", "dagshub", "dvclive", "flyte", "kubeflow", "mlflow", "neptune",
    "swanlab", "tensorboard", "trackio", "wandb",
]  # fmt: skip
_MODULES = {"azure_ml": "azureml", "flyte": "flytekit", "kubeflow": "transformers"}
"""The module of a tracker, where it has another name; Kubeflow's needs only a variable of the environment."""
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
    """A training method of TRL; subclasses choose the trainer and have their own published defaults.

    Attributes:
        method: TRL's name of it, such as ``SFT`` in `SFTTrainer` and `SFTConfig`.
    """

    method: ClassVar[str]

    learning_rate: LearningRate
    batch: int
    device_batch: int
    schedule: Schedule
    warmup: Warmup
    weight_decay: WeightDecay
    max_grad_norm: Annotated[float, Ge(0), Option("norm to which gradients are clipped; 0 for no clipping")] = 1.0
    freeze: Annotated[
        tuple[Literal["vision", "projector"], ...] | None,
        Option("frozen parts; all beside the language model if unset"),
    ] = None
    lora_rank: Annotated[int, Ge(0), Option("rank of LoRA adapters, merged at the end; 0 trains all weights")] = 0
    lora_targets: Annotated[
        tuple[str, ...], Option("names of the layers that are adapted, such as q_proj; all linear ones if empty")
    ] = ()
    devices: Devices = "auto"
    nodes: Nodes = 1
    parallel: Parallel = "auto"
    precision: Precision = "mixed"
    optimizer: Optimizer = "adamw"
    gradient_checkpointing: Checkpointing = "auto"
    attention: Attention = "auto"
    liger: Liger = False
    report_to: Annotated[tuple[Tracker, ...], Option("trackers", affects_output=False)] = ()
    extra: Extra = field(default_factory=dict)
    trainer_class: TrainerClass = None

    def __post_init__(self) -> None:
        if self.lora_targets and not self.lora_rank:
            raise UsageError("lora_targets has no effect without adapters.", "Set lora_rank too, or remove it.")
        if (
            self.schedule == "polynomial"
            and self.learning_rate <= LAST_RATE
            and "lr_scheduler_kwargs" not in self.extra
        ):
            raise UsageError(
                f"The schedule polynomial ends at a learning rate of {LAST_RATE:g}, and begins at "
                f"{self.learning_rate:g}.",
                "Set learning_rate higher, or choose linear.",
            )
        opening.check_target(self.trainer_class)
        sharing.refuse(self)
        if self.devices != "auto":
            sharing.refuse_alone(self, self.world)
        self.check_batch(self.nodes if self.devices == "auto" else self.world)

    def check_batch(self, world: int) -> None:
        """Refuse a batch that so many processes cannot divide; the machine may have several for each of them."""
        held = self.device_batch * world
        if self.batch % held:
            above = (self.batch // held + 1) * held
            possible = f"{above - held} or {above}" if above > held else above
            raise UsageError(
                f"A batch of {self.batch} cannot be divided into micro-batches of {self.device_batch} on each of "
                f"{world} devices (options batch, device_batch and devices).",
                f"Choose batch as a multiple of device_batch x devices, such as {possible}.",
            )

    def batch_rows(self) -> int:
        return self.batch

    def check_machine(self) -> None:
        sharing.check_machine(self)
        self.check_batch(self.world)
        for tracker in self.report_to:
            module = _MODULES.get(tracker, tracker)
            if not any(map(find_spec, (module, f"{module}X"))):  # transformers also takes tensorboardX
                raise UsageError(
                    f"The option report_to names {tracker}, whose package is not installed.",
                    f"Install {module}, or remove it.",
                )
        if self.extra or self.trainer_class:  # else TRL is imported in the training alone
            self.classes()

    def code_modules(self) -> Sequence[str]:
        return [self.trainer_class.partition(":")[0]] if self.trainer_class else []

    def classes(self) -> tuple[Any, Any, dict[str, Any]]:
        """TRL's trainer, or the subclass that trains instead; the class of its configuration; its extra fields."""
        trainer, config = opening.classes(self.method, self.trainer_class)
        return trainer, config, opening.checked(self.extra, config, {option.name for option in fields(self)})

    def processes(self) -> int:
        return max(1, len(visible_gpus())) if self.devices == "auto" else self.devices

    def planned_gpus(self, gpus: Gpus) -> tuple[int, int]:
        return self.nodes, max(1, gpus.count) if self.devices == "auto" else self.devices

    def machines(self) -> int:
        return self.nodes

    @property
    def world(self) -> int:
        """Processes on all machines."""
        return self.processes() * self.nodes

    def check_model(self, config: Mapping[str, Any]) -> None:
        """Ask the model itself, without its weights, wherever it may lack what an option names.

        To import transformers takes seconds: a model of a usual family has a vision tower and a projector to freeze if
        its configuration has a tower, and is not asked for them.
        """
        shape = ModelShape.of(config)
        usual = shape is not None and (shape.tower > 0 or not self.freeze)
        if self.lora_targets or self.attention != "auto" or not usual:
            outline = policy.outline(config)
            sharing.check_kernels(outline, self.attention)
            parts.freeze(outline, self.freeze)
            parts.adapters(outline, self.lora_rank, self.lora_targets, self.freeze)

    def memory(self, shape: ModelShape, work: Workload) -> Memory | None:
        return memory.needed(self, shape, work, sequences=self.device_batch, reply=work.reply, reference=False)

    def savings(self) -> Sequence[Mapping[str, Any]]:
        return memory.SAVINGS

    def secrets(self) -> Sequence[str]:
        return [name for tracker in self.report_to for name in SECRETS.get(tracker, ())]

    def train(self, job: TrainJob) -> Checkpoint:
        model = policy.located(job.model)
        processor = policy.load_processor(model)
        longest = lengths.longest(job, processor, policy.context(model), **self.responses(job))
        shared, why = self.choose(model, longest, job.checkpoint)
        logging.getLogger(__name__).warning("parallel: %s, because %s.", shared, why)
        sharing.check_checkpoint(job.checkpoint, shared)
        sharing.check_rows(shared, self.freeze, job.examples())
        with stopping.requests() as came:
            trainer = self._trainer(job, model, processor, longest, shared, came)
            trainer.train(resume_from_checkpoint=job.checkpoint and str(job.checkpoint))
        stopping.end_if_stopped(trainer)
        done = policy.save(trainer, processor, model, job.folder)
        shutil.rmtree(job.folder / dataset.ON_DISK, ignore_errors=True)
        return done

    def choose(self, model: Model, longest: int, checkpoint: Path | None) -> tuple[Sharing, str]:
        """What the processes share, and why: nothing where a GPU holds all that an update needs, else the model.

        Args:
            model: a folder.
            longest: tokens of the longest row.
            checkpoint: that the training goes on from, maybe on other GPUs than it was written on.
        """
        if self.parallel != "auto":
            return self.parallel, "the recipe says so"
        if self.world == 1:
            return "ddp", "there is one process"
        if checkpoint:
            return sharing.written_with(checkpoint)[0], "the checkpoint was written with it"
        if not sharing.has_gpu():
            return "ddp", "the processes are on a CPU"
        if "8bit" in self.optimizer:
            return "ddp", f"{self.optimizer} works on whole parameters"
        if self.optimizer == "adamw-offload":
            return "fsdp2", "processes share an optimizer on the CPU"
        import torch

        shape = ModelShape.of(json.loads((Path(model.id) / "config.json").read_bytes()))
        alone = replace(self, parallel="ddp", devices=self.processes())
        size = torch.cuda.get_device_properties(0).total_memory
        gpus = Gpus(self.processes() + self.server_devices(), size)
        terms = alone.memory(shape, Workload(prompt=longest, reply=0, gpus=gpus)) if shape else None
        if not terms:
            return "fsdp2", "nothing is known of the model's size"
        needed = sum(terms.values())
        compared = f"an update needs {needed / 1e9:.1f} GB of a GPU of {size / 1e9:.1f} GB"
        return ("ddp" if needed <= size else "fsdp2"), compared

    def _trainer(
        self, job: TrainJob, model: Model, processor: Any, longest: int, shared: Sharing, came: Sequence[int]
    ) -> Any:
        """TRL's trainer, about to begin or to resume."""
        from transformers import set_seed

        gpu = sharing.has_gpu()
        if not gpu:  # else a process says that it is on cpu:1, from where torch cannot restore
            os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
        base, config_class, extra = self.classes()
        ours = {**self.arguments(job), **sharing.arguments(self, shared, gpu), **self.fields(job, processor, longest)}
        # The configuration comes before the model, which ZeRO-3 divides as it is loaded.
        config = opening.configuration(config_class, ours, extra)
        if ours.get("fsdp_config", {}).get("cpu_ram_efficient_loading"):
            from accelerate.utils import enable_fsdp_ram_efficient_loading

            enable_fsdp_ram_efficient_loading()  # transformers itself does not tell its `from_pretrained`
        set_seed(job.seed)
        pure = self.precision == "bf16"
        if self.method != "SFT":  # of its arguments for models, TRL applies these to the reference alone
            config.model_init_kwargs = {"dtype": policy.reference_dtype(model, pure=pure, mixed=gpu)}
        loaded = policy.load(
            model,
            self.freeze,
            job.checkpoint if shared == "ddp" and not self.lora_rank else None,
            adapted=bool(self.lora_rank),
            pure=pure,
            mixed=gpu,
            kernels=sharing.KERNELS.get(self.attention),
        )
        with sharing.reference_by_layers(self.method, loaded) if shared == "fsdp2" else nullcontext():
            trainer = self.trainer(
                job,
                base,
                args=config,
                model=loaded,
                processing_class=processor,
                peft_config=parts.adapters(loaded, self.lora_rank, self.lora_targets, self.freeze),
                callbacks=[reporting.callback(job), stopping.callback(came, self.updates)],
            )
        if shared == "fsdp2":
            sharing.keep_whole(trainer.accelerator, loaded)
        if job.checkpoint:
            reporting.recount(trainer, job.checkpoint)
        return trainer

    @property
    def updates(self) -> int:
        """Updates between the points that a training can go on from."""
        return 1

    def responses(self, job: TrainJob) -> dict[str, Any]:
        """What follows a prompt: columns of replies, one per example, or ``response``, the tokens of one to come."""
        return {}

    @abstractmethod
    def fields(self, job: TrainJob, processor: Any, longest: int) -> dict[str, Any]:
        """The fields of TRL's configuration that others do not have, see `arguments`.

        Args:
            job: the training.
            processor: of the model.
            longest: tokens of the longest row.
        """

    @abstractmethod
    def trainer(self, job: TrainJob, base: Any, **shared: Any) -> Any:
        """The trainer, with its data.

        Args:
            job: the training.
            base: its class.
            shared: arguments common to all trainers.
        """

    def arguments(self, job: TrainJob) -> dict[str, Any]:
        """The fields that all of TRL's configurations have; the training is one epoch, see `dataset.in_epochs`."""
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
            "gradient_accumulation_steps": self.batch // (self.device_batch * self.world),
            "logging_steps": 1,
            "save_total_limit": 2,
            "remove_unused_columns": False,
            "report_to": list(self.report_to) or "none",
            "disable_tqdm": True,
        }
