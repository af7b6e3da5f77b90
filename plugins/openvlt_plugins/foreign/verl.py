"""verl: ``python -m verl.trainer.main_ppo``, configured by Hydra (keys of verl 0.9)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from openvlt import Option, TrainJob
from openvlt_plugins.foreign.trainer import ForeignTrainer

ACTOR, ROLLOUT, REF = (f"actor_rollout_ref.{part}" for part in ("actor", "rollout", "ref"))
RUNTIME = "+ray_kwargs.ray_init.runtime_env.env_vars"
LOSSES = {"bnpo": "token-mean", "grpo": "seq-mean-token-mean"}


@dataclass(frozen=True)
class Verl(ForeignTrainer):
    """GRPO by verl. It scores responses one by one, so that no verifier may compare those to one question."""

    form: ClassVar[Literal["verl", "easyr1"]] = "verl"
    module: ClassVar[str] = "verl.trainer.main_ppo"
    reward_metric: ClassVar[str] = "critic/score/mean"
    single: ClassVar[bool] = True
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "learning_rate": (f"{ACTOR}.optim.lr",),
        "schedule": (f"{ACTOR}.optim.lr_scheduler_type",),
        "warmup": (f"{ACTOR}.optim.lr_warmup_steps_ratio",),
        "weight_decay": (f"{ACTOR}.optim.weight_decay",),
        "max_grad_norm": (f"{ACTOR}.optim.clip_grad", f"{ACTOR}.grad_clip"),
        "steps": ("trainer.total_training_steps",),
        "epochs": ("trainer.total_epochs",),
        "prompts": ("data.train_batch_size",),
        "generations": (f"{ROLLOUT}.n",),
        "batch": (f"{ACTOR}.ppo_mini_batch_size",),
        "device_batch": (f"{ACTOR}.ppo_micro_batch_size_per_gpu",),
        "score_batch": (f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu", f"{REF}.log_prob_micro_batch_size_per_gpu"),
        "temperature": (f"{ROLLOUT}.temperature",),
        "top_p": (f"{ROLLOUT}.top_p",),
        "max_prompt": ("data.max_prompt_length",),
        "max_tokens": ("data.max_response_length",),
        "beta": (f"{ACTOR}.kl_loss_coef",),
        "use_kl": (f"{ACTOR}.use_kl_loss",),
        "epsilon": (f"{ACTOR}.clip_ratio_low", f"{ACTOR}.clip_ratio"),
        "epsilon_high": (f"{ACTOR}.clip_ratio_high",),
        "delta": (f"{ACTOR}.clip_ratio_c",),
        "loss_type": (f"{ACTOR}.loss_agg_mode",),
        "freeze": (f"{ACTOR}.freeze_vision_tower",),
        "offload": (f"{ACTOR}.fsdp_config.param_offload", f"{ACTOR}.fsdp_config.optimizer_offload"),
        "vllm_memory": (f"{ROLLOUT}.gpu_memory_utilization",),
        "vllm_tensor_parallel": (f"{ROLLOUT}.tensor_model_parallel_size",),
        "gpus": ("trainer.n_gpus_per_node",),
        "nodes": ("trainer.nnodes",),
        "save_every": ("trainer.save_freq",),
        "keep": ("trainer.max_actor_ckpt_to_keep",),
        "model": ("actor_rollout_ref.model.path",),
        "seed": ("data.seed", f"{ACTOR}.data_loader_seed", f"{ROLLOUT}.seed"),
        "pixels": ("+data.mm_processor_kwargs.max_pixels",),
        "least_pixels": ("+data.mm_processor_kwargs.min_pixels",),
        "data": ("data.train_files",),
        "held_back": ("data.val_files",),
        "folder": ("trainer.default_local_dir",),
        "name": ("trainer.experiment_name",),
        "reward": ("reward.custom_reward_function.path",),
        "metrics": (f"{RUNTIME}.VERL_FILE_LOGGER_PATH",),
    }
    PUBLISHED: ClassVar[Mapping[float, str]] = {
        size: f"{gpus} at least, for a text model (docs/perf/device_tuning.rst)"
        for size, gpus in [(7, "2 H800 of 80 GB"), (14, "4 H800"), (32, "8 H20 of 96 GB"), (70, "32 H20")]
    }
    FIXED: ClassVar[Mapping[str, Any]] = {
        "algorithm.adv_estimator": "grpo",
        f"{ACTOR}.kl_loss_type": "low_var_kl",
        f"{ROLLOUT}.name": "vllm",
        "data.filter_overlong_prompts": True,
        "data.val_max_samples": 1,
        "reward.custom_reward_function.name": "compute_score",
        "trainer.logger": ["console", "file"],
        "trainer.project_name": "openvlt",
        "trainer.resume_mode": "auto",
        "trainer.val_before_train": False,
        "trainer.test_freq": -1,
    }

    HELD: ClassVar[frozenset[str]] = frozenset({"reward.custom_reward_function.name", "trainer.resume_mode"})
    LEAST: ClassVar[tuple[int, ...]] = (0, 9)
    TRACKER: ClassVar[str] = "latest_checkpointed_iteration.txt"

    schedule: Annotated[Literal["constant", "cosine"], Option("learning rate schedule")] = "constant"

    def values(self, job: TrainJob) -> dict[str, Any]:
        return super().values(job) | {
            "loss_type": LOSSES[self.loss_type],
            "use_kl": self.beta > 0,
            "metrics": str(self.metrics_file(job.engine)),
        }

    def counts(self, printed: str) -> dict[str, float]:
        sizes = [int(size) for size in re.findall(r"dataset len: (\d+)", printed)[:2]]  # before and after the filter
        return {"prompts dropped": float(sizes[0] - sizes[1])} if len(sizes) == 2 else {}

    def metrics_file(self, folder: Path) -> Path:
        """A file of its own for each attempt: verl empties the one it is given."""
        return folder / f"metrics-{len(list(folder.glob('metrics-*.jsonl'))):04}.jsonl"

    def environment(self, metrics: Path) -> dict[str, str]:
        return {"VERL_FILE_LOGGER_PATH": str(metrics)}

    def tracked(self, content: bytes) -> int:
        return int(content)

    def tracker(self, step: int) -> bytes:
        return str(step).encode()

    def merge(self, job: TrainJob, shards: Path, model: Path) -> None:
        merger = [self.python, "-m", "verl.model_merger", "merge", "--backend", "fsdp"]
        job.run([*merger, "--local_dir", str(shards), "--target_dir", str(model)])
