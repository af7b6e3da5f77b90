"""An early end that loses no step: SIGTERM, which schedulers send before they kill, saves a checkpoint first."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def requests() -> Iterator[list[int]]:
    """The signals that ask this process to end while the block runs, instead of what they do otherwise."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def callback(came: Sequence[int], every: int) -> Any:
    """A trainer callback that saves a checkpoint and stops after the step in which a request came.

    transformers' own (`enable_jit_checkpoint`) also saves between the micro-batches of a step, from where a training
    does not go on to the same weights.

    Args:
        came: see `requests`.
        every: updates between the points that a training can go on from.
    """
    import torch
    from accelerate import PartialState
    from transformers import TrainerCallback

    def asked() -> bool:
        """The same in all processes, which otherwise would wait for each other for ever."""
        processes = PartialState()
        if processes.num_processes == 1:
            return bool(came)
        number = torch.tensor(len(came), device=processes.device)
        torch.distributed.all_reduce(number)
        return bool(number)

    class Stopping(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step % every == 0 and asked():
                control.should_save = control.should_training_stop = True

    return Stopping()


def end_if_stopped(trainer: Any) -> None:
    """End this process as the signal would have, if the training has not come to its last step."""
    if trainer.state.global_step < trainer.state.max_steps:
        os.kill(os.getpid(), signal.SIGTERM)
        sys.exit(128 + signal.SIGTERM)
