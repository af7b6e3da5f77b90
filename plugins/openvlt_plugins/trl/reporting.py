"""Metrics of a running training."""

from __future__ import annotations

from typing import Any

from openvlt import DataError, TrainJob

STALLED_AFTER = 8
"""Consecutive generations without any difference in reward after which GRPO is stopped."""


def callback(job: TrainJob) -> Any:
    """A trainer callback that passes all logged numbers to the job.

    It raises a `DataError` if GRPO can no longer learn, since the rewards are equal.
    """
    from transformers import TrainerCallback

    class Reporting(TrainerCallback):  # type: ignore[misc]
        flat = 0

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            numbers = {key: float(value) for key, value in (logs or {}).items() if isinstance(value, int | float)}
            if state.is_world_process_zero:
                job.log({"step": state.global_step, "steps": state.max_steps, **numbers})
            if "frac_reward_zero_std" in numbers:
                self.flat = self.flat + 1 if numbers["frac_reward_zero_std"] == 1.0 else 0
            if self.flat >= STALLED_AFTER:
                raise DataError(
                    f"GRPO stopped, since for {self.flat} generations all responses to a prompt had the same reward.",
                    "Look at completions.jsonl, and choose easier or harder examples, more generations per prompt, or "
                    "another reward.",
                )

    return Reporting()
