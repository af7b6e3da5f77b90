"""What a running training reports to its job: metrics, and checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openvlt import DataError, TrainJob

STALLED_AFTER = 8
"""Consecutive generations without any difference in reward after which GRPO is stopped."""


def callback(job: TrainJob) -> Any:
    """A trainer callback that passes all logged numbers and all checkpoints to the job.

    It raises a `DataError` if GRPO can no longer learn, since the rewards are equal.
    """
    import torch
    from accelerate import PartialState
    from transformers import TrainerCallback

    class Reporting(TrainerCallback):  # type: ignore[misc]
        def on_log(
            self, args: Any, state: Any, control: Any, logs: Any = None, train_dataloader: Any = None, **_: Any
        ) -> None:
            numbers = {key: float(value) for key, value in (logs or {}).items() if isinstance(value, int | float)}
            if "epoch" in numbers:  # of TRL's single one, see `dataset.in_epochs`
                passes = len(train_dataloader.dataset) / len(job.examples())
                state.log_history[-1]["epoch"] = numbers["epoch"] = numbers["epoch"] * passes
            if "train_loss" in numbers:
                state.log_history[-1]["train_loss"] = numbers["train_loss"] = _mean_loss(state)
            if torch.cuda.is_available():
                numbers["peak_memory"] = float(torch.cuda.max_memory_allocated())
            if state.is_world_process_zero:
                job.log({"step": state.global_step, "steps": state.max_steps, **numbers})
            if _stalled(state):
                raise DataError(
                    f"GRPO stopped, since for {STALLED_AFTER} generations all responses to a prompt had the same "
                    "reward.",
                    "Look at completions-0.jsonl, and choose easier or harder examples, more generations per prompt, "
                    "or another reward.",
                )

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            PartialState().wait_for_everyone()  # every process has a file in the checkpoint
            if state.is_world_process_zero:
                job.saved(Path(args.output_dir) / f"checkpoint-{state.global_step}")
            PartialState().wait_for_everyone()

    return Reporting()


def _mean_loss(state: Any) -> float:
    """The mean loss of all steps; transformers' own leaves out those before a resume."""
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    return float(sum(losses) / max(1, len(losses)))


def recount(trainer: Any, checkpoint: Path) -> None:
    """Let TRL's SFT and DPO trainers count tokens from where the checkpoint was saved, and not from 0."""
    history = json.loads((checkpoint / "trainer_state.json").read_bytes())["log_history"]
    counted = [entry["num_tokens"] for entry in history if "num_tokens" in entry]
    if counted and hasattr(trainer, "_total_train_tokens"):
        trainer._total_train_tokens = counted[-1]


def _stalled(state: Any) -> bool:
    """True if the last generations, also those before a resume, had no difference in reward."""
    shares = [entry["frac_reward_zero_std"] for entry in state.log_history if "frac_reward_zero_std" in entry]
    return len(shares) >= STALLED_AFTER and all(share == 1.0 for share in shares[-STALLED_AFTER:])
