"""What a training says of itself while it runs."""

from __future__ import annotations

from typing import Any

from openvlt import DataError, TrainJob

STALLED_AFTER = 8
"""Generations in a row without a single difference in reward after which nothing can be learnt any more."""


def callback(job: TrainJob) -> Any:
    """A trainer callback that hands every logged number to the job.

    It raises a `DataError` when reinforcement cannot learn any more.
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
                    f"GRPO stopped: {self.flat} times in a row all responses to a prompt earned the same reward.",
                    "Nothing can be learnt from that: look at completions.jsonl, and choose easier or harder examples, "
                    "more generations a prompt, or another reward.",
                )

    return Reporting()
