"""EasyR1: ``python -m verl.trainer.main``, configured by OmegaConf.

The keys are those of its main branch at b44b311 (0.3.3.dev0); its releases up to 0.3.2 write no file of metrics.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from openvlt import Checkpoint, Format, Option, TrainJob, UsageError
from openvlt_plugins.foreign.trainer import ForeignTrainer

LOSSES = {"bnpo": "token", "grpo": "seq"}


@dataclass(frozen=True)
class EasyR1(ForeignTrainer):
    """GRPO by EasyR1, the trainer of OpenVLThinker. It scores the responses of a step in one batch."""

    form: ClassVar[Literal["verl", "easyr1"]] = "easyr1"
    module: ClassVar[str] = "verl.trainer.main"
    reward_metric: ClassVar[str] = "reward/overall"
    single: ClassVar[bool] = False
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "learning_rate": ("worker.actor.optim.lr",),
        "warmup": ("worker.actor.optim.lr_warmup_ratio",),
        "weight_decay": ("worker.actor.optim.weight_decay",),
        "max_grad_norm": ("worker.actor.max_grad_norm",),
        "steps": ("trainer.max_steps",),
        "epochs": ("trainer.total_epochs",),
        "prompts": ("data.rollout_batch_size",),
        "generations": ("worker.rollout.n",),
        "batch": ("worker.actor.global_batch_size",),
        "device_batch": ("worker.actor.micro_batch_size_per_device_for_update",),
        "score_batch": ("worker.actor.micro_batch_size_per_device_for_experience",),
        "temperature": ("worker.rollout.temperature",),
        "top_p": ("worker.rollout.top_p",),
        "max_prompt": ("data.max_prompt_length",),
        "max_tokens": ("data.max_response_length",),
        "beta": ("algorithm.kl_coef",),
        "no_kl": ("algorithm.disable_kl",),
        "epsilon": ("worker.actor.clip_ratio_low",),
        "epsilon_high": ("worker.actor.clip_ratio_high",),
        "delta": ("worker.actor.clip_ratio_dual",),
        "loss_type": ("worker.actor.loss_avg_mode",),
        "freeze": ("worker.actor.model.freeze_vision_tower",),
        "offload": ("worker.actor.offload.offload_params", "worker.actor.offload.offload_optimizer"),
        "vllm_memory": ("worker.rollout.gpu_memory_utilization",),
        "vllm_tensor_parallel": ("worker.rollout.tensor_parallel_size",),
        "gpus": ("trainer.n_gpus_per_node",),
        "nodes": ("trainer.nnodes",),
        "save_every": ("trainer.save_freq",),
        "keep": ("trainer.save_limit",),
        "model": ("worker.actor.model.model_path",),
        "seed": ("data.seed", "worker.rollout.seed"),
        "pixels": ("data.max_pixels",),
        "least_pixels": ("data.min_pixels",),
        "data": ("data.train_files",),
        "held_back": ("data.val_files",),
        "folder": ("trainer.save_checkpoint_path",),
        "resumed": ("trainer.load_checkpoint_path",),
        "name": ("trainer.experiment_name",),
        "reward": ("worker.reward.reward_function",),
        "template": ("data.format_prompt",),
    }
    PUBLISHED: ClassVar[Mapping[float, str]] = {
        size: f"{mixed} GB in mixed precision, {pure} GB in bf16 (README, estimated)"
        for size, mixed, pure in [
            (1.5, "2 x 24", "1 x 24"), (3, "4 x 40", "1 x 40"), (7, "8 x 40", "4 x 40"), (32, "16 x 80", "8 x 80"),
            (72, "32 x 80", "16 x 80"),
        ]
    }  # fmt: skip
    FIXED: ClassVar[Mapping[str, Any]] = {
        "algorithm.adv_estimator": "grpo",
        "algorithm.use_kl_loss": True,
        "algorithm.kl_penalty": "low_var_kl",
        "data.prompt_key": "problem",
        "data.answer_key": "answer",
        "data.image_key": "images",
        "trainer.logger": ["console", "file"],
        "trainer.project_name": "openvlt",
        "trainer.val_before_train": False,
        "trainer.val_freq": -1,
    }

    HELD: ClassVar[frozenset[str]] = frozenset({"data.prompt_key", "data.answer_key", "data.image_key"})
    LEAST: ClassVar[tuple[int, ...]] = (0, 3, 3)
    TRACKER: ClassVar[str] = "checkpoint_tracker.json"

    merger: Annotated[
        str, Option("script that merges shards; by default scripts/model_merger.py beside the package")
    ] = ""

    def check_machine(self) -> None:
        super().check_machine()
        if not self._merger().is_file():
            raise UsageError(
                f"There is no script that merges EasyR1's checkpoints at {self._merger()}.",
                "Set merger to the file scripts/model_merger.py of EasyR1.",
            )

    def train(self, job: TrainJob) -> Checkpoint:
        if job.format.system:
            raise UsageError("EasyR1 takes no system message, and the recipe's format has one.", "Move it to suffix.")
        if "@" in str(job.engine):
            raise UsageError(f"EasyR1 cannot read data in {job.engine}: it splits paths at '@'.", "Move the home.")
        job.engine.mkdir(exist_ok=True)
        (job.engine / "prompt.jinja").write_text(template(job.format), encoding="utf-8")
        return super().train(job)

    def values(self, job: TrainJob) -> dict[str, Any]:
        known, last = super().values(job), self.last_step(job.engine)
        return known | {
            "loss_type": LOSSES[self.loss_type],
            "no_kl": self.beta == 0,
            "keep": max(2, self.keep),  # it deletes before it saves, and would have none
            "data": str(job.engine / "data"),
            "held_back": str(job.engine / "data"),
            "reward": f"{known['reward']}:compute_score",
            "resumed": last and str(job.engine / f"global_step_{last}"),
            "template": str(job.engine / "prompt.jinja"),
        }

    def metrics_file(self, folder: Path) -> Path:
        """The file that EasyR1 empties when it starts; what an earlier attempt wrote there is kept beside it."""
        path = folder / "experiment_log.jsonl"
        if path.exists():
            path.rename(folder / f"earlier-{len(list(folder.glob('*.jsonl'))):04}.jsonl")
        return path

    def environment(self, metrics: Path) -> dict[str, str]:
        return {}

    def tracked(self, content: bytes) -> int:
        return int(json.loads(content)["last_global_step"])

    def tracker(self, step: int) -> bytes:
        return json.dumps({"last_global_step": step}).encode()

    def merge(self, job: TrainJob, shards: Path, model: Path) -> None:
        job.run([self.python, str(self._merger()), "--local_dir", str(shards)])
        shutil.copytree(shards / "huggingface", model)

    def _merger(self) -> Path:
        if self.merger:
            return Path(self.merger).expanduser().absolute()
        return Path(self.probe()["root"]).parent / "scripts" / "model_merger.py"


def template(format: Format) -> str:
    """EasyR1's prompt template, in Jinja: the question, then what the recipe asks for."""
    return f"{{{{ content }}}}{{{{ {json.dumps(format.suffix, ensure_ascii=False)} }}}}"
