"""What a trainer of another environment is given: the questions in its format, and the reward over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from openvlt.integrations.exports import EXPORTS
from openvlt.integrations.reward_server import RewardServer
from openvlt.integrations.scores import write_client
from openvlt.interfaces import TrainJob
from openvlt.records import Row


@contextmanager
def handed_over(
    job: TrainJob, form: Literal["easyr1", "verl"], folder: Path, host: str = "127.0.0.1", workers: int = 1
) -> Iterator[RewardServer]:
    """Write a job's questions for another trainer, and serve its reward while the context lasts.

    Args:
        job: rewarded.
        form: of the data, as of ``openvlt export``.
        folder: gets ``data/train-*.parquet``, and ``reward.py`` that asks the server.
        host: address of this machine that the trainer can reach.
        workers: processes of the server, whose `watch` is to be called while the trainer runs.

    Raises:
        UsageError: the reward cannot be built, or the address cannot be listened at.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with RewardServer(job.rewards, host, 0, workers, folder) as server:
        EXPORTS[form]((Row(example=example) for example in job.examples()), job.format, job, folder, form)
        write_client(folder, server.url)
        yield server
