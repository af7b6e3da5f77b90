"""The metrics of an engine, read from the file it writes and passed on to the job."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from openvlt import TrainJob


class Follower:
    """Reads the lines an engine appends to a file. Those of earlier attempts are read again up to the resumed step.

    Args:
        job: is told.
        path: of the file, in a folder that has those of earlier attempts too: all ``*.jsonl``.
        resumed: the step that the engine goes on from; 0 for the start.
        total: steps of the whole training.
        reward: the engine's name for the mean reward.

    Attributes:
        last: the metrics read last.
    """

    def __init__(self, job: TrainJob, path: Path, resumed: int, total: int, reward: str) -> None:
        self.path, self.last = path, dict[str, float]()
        self._job, self._total, self._reward = job, total, reward
        earlier: dict[int, dict[str, float]] = {}
        for file in sorted(path.parent.glob("*.jsonl")):
            earlier.update(metrics_in(file.read_bytes()))
        for step in sorted(step for step in earlier if step <= resumed):
            self._log(step, earlier[step])
        self._at = path.stat().st_size if path.exists() else 0

    def read(self) -> None:
        """Pass on what is new."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._at)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._at += len(whole)
        for step, metrics in metrics_in(whole):
            self._log(step, metrics)

    def _log(self, step: int, metrics: dict[str, float]) -> None:
        known = {"reward": metrics[self._reward]} if self._reward in metrics else {}
        self.last = {**metrics, **known}
        self._job.log({"step": step, "steps": self._total, **self.last})


def metrics_in(content: bytes) -> Iterator[tuple[int, dict[str, float]]]:
    """The step and the finite numbers of each line, nested ones with ``/`` between their names; others are skipped."""
    for line in content.splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and isinstance(step := found.pop("step", None), int):
            yield step, dict(_numbers(found.get("data", found)))


def _numbers(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{above}{key}/")
        elif isinstance(value, int | float) and isfinite(value):
            yield f"{above}{key}", float(value)
