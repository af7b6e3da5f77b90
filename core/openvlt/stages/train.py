"""Train stages run in a child process, always: memory is free between them, and a crash is an error message."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openvlt import errors, system
from openvlt.errors import OpenvltError
from openvlt.interfaces import Trainer
from openvlt.records import Model
from openvlt.registry import Built
from openvlt.stages.models import content_digest
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import digest, encode, write_atomically


@dataclass(frozen=True, slots=True)
class Rewards:
    """What a reinforcement run is rewarded by: verifiers in order, weights, and weights by source."""

    verifiers: Mapping[str, Built] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    routes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        identities = [(name, built.identity) for name, built in self.verifiers.items()]
        return digest(identities, self.weights, self.routes)


def train(
    workspace: Workspace, step: Step, inputs: Output, trainer: Built, start: Model, rewards: Rewards
) -> tuple[Output, Path]:
    """Train a model in a child process, or reuse the one that was trained.

    Args:
        workspace: the run's means.
        step: made by `train_step`.
        inputs: selected rows for supervised training, loaded ones for reinforcement.
        trainer: the component.
        start: the model training starts from; its id is a folder.
        rewards: for reinforcement.

    Returns:
        The stage's output, and the folder of the trained model.

    Raises:
        OpenvltError: what the trainer said, or how the child died; the next run goes on from its checkpoints.
    """
    component = trainer.component
    assert isinstance(component, Trainer)
    started = time.monotonic()
    with claimed(workspace, step) as (folder, known):
        if known is None:
            examples = inputs.record.counts.get("traces", 0) if component.needs == "traces" else inputs.record.out
            component.preflight(int(examples))
            workspace.progress.begin(step.name, None, "steps")
            job = _write_job(workspace, folder.path, inputs, trainer, start, rewards)
            _run(workspace, folder.path, _command(component, job), step)
            result = json.loads((folder.path / "result.json").read_bytes())
            for concern in result["concerns"]:
                workspace.progress.note(f"Warning: {step.name}: {concern}")
            trained = str(Path(result["folder"]).relative_to(folder.path))
            made = {
                "digest": content_digest(Model(id=result["folder"]), workspace),
                "in": int(examples),
                "out": 1,
                "model": trained,
                "counts": result["metrics"],
            }
            write_atomically(folder.summary_file, json.dumps(made, indent=1).encode())
            return output(step, folder, made, cached=False, started=started), folder.path / trained
        return output(step, folder, known, cached=True, started=started), folder.path / str(known["model"])


def train_step(
    workspace: Workspace,
    kind: str,
    name: str,
    iteration: int,
    inputs: Output,
    trainer: Built,
    start: str,
    rewards: Rewards,
) -> Step:
    """The step of a training: of its trainer, data, start (a digest), format, seed and rewards."""
    made_of = (trainer.identity, inputs.digest, start, workspace.format, workspace.seed, rewards.identity)
    return Step(kind, name, iteration, made_of)


def _write_job(
    workspace: Workspace, folder: Path, inputs: Output, trainer: Built, start: Model, rewards: Rewards
) -> Path:
    job = {
        "trainer": _spec(trainer),
        "model": json.loads(encode(start)),
        "format": json.loads(encode(workspace.format)),
        "seed": workspace.seed,
        "folder": str(folder),
        "rows": str(inputs.folder.rows_file),
        "images": str(workspace.home.images),
        "verifiers": {name: _spec(built) for name, built in rewards.verifiers.items()},
        "weights": dict(rewards.weights),
        "routes": {source: dict(route) for source, route in rewards.routes.items()},
        "files": [str(path) for path in workspace.registry.files],
    }
    path = folder / "job.json"
    write_atomically(path, json.dumps(job, indent=1).encode())
    return path


def _spec(built: Built) -> dict[str, Any]:
    return {"use": built.entry.id, **built.options}


def _command(trainer: Trainer, job: Path) -> list[str]:
    """``torchrun`` for several processes: ``accelerate launch --cpu`` was seen to start only one without a word."""
    worker = ["-m", "openvlt.stages.train_worker", str(job)]
    processes = trainer.processes()
    if processes == 1:
        return [sys.executable, *worker]
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", *worker]


def _run(workspace: Workspace, folder: Path, command: list[str], step: Step) -> None:
    """Run the child, show its metrics, and turn its end into a result or an error."""
    for name in ("result.json", "error.json", "metrics.jsonl"):
        (folder / name).unlink(missing_ok=True)
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    with (folder / "train.log").open("ab") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )
        shown = _Shown(workspace, folder / "metrics.jsonl")
        try:
            while child.poll() is None:
                shown.update()
                time.sleep(0.25)
            shown.update()
        finally:
            _end(child)
    if not (folder / "result.json").exists():
        raise _failure(folder, step, child.returncode)


class _Shown:
    """Follows the metrics a child writes."""

    def __init__(self, workspace: Workspace, path: Path) -> None:
        self._workspace = workspace
        self._path = path
        self._at = 0
        self._step = 0.0
        self._total = 0.0

    def update(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._at += len(line)
                self._show(json.loads(line))

    def _show(self, metrics: Mapping[str, float]) -> None:
        if "steps" in metrics and metrics["steps"] != self._total:
            self._total = metrics["steps"]
            self._workspace.progress.begin("", int(self._total), "steps")
        step = metrics.get("step", self._step)
        wanted = ("reward", "loss", "completions/mean_length", "mean_token_accuracy")
        self._workspace.progress.advance(
            int(step - self._step), **{key: metrics[key] for key in wanted if key in metrics}
        )
        self._step = step


def _end(child: subprocess.Popen[bytes]) -> None:
    """Make sure the child and its own children are gone; it is asked first."""
    if child.stdin:
        with suppress(BrokenPipeError):
            child.stdin.close()
    if child.poll() is None:
        system.end(child, by_force=False)
        with suppress(subprocess.TimeoutExpired):
            child.wait(10)
    if child.poll() is None:
        system.end(child, by_force=True)
    child.wait()


def _failure(folder: Path, step: Step, code: int) -> OpenvltError:
    log = folder / "train.log"
    try:
        told = json.loads((folder / "error.json").read_bytes())
        kind: type[OpenvltError] = getattr(errors, told["kind"], OpenvltError)
        return kind(told["problem"], told["remedy"])
    except FileNotFoundError:
        with log.open("rb") as file:
            last = deque((line.decode(errors="replace").strip() for line in file if line.strip()), maxlen=1)
        hint = " (out of memory?)" if code == system.KILLED else ""
        said = last[0].rstrip(".") if last else "it said nothing"
        cause = f"was killed by signal {-code}{hint}" if code < 0 else f"ended with code {code}: {said}"
        return OpenvltError(
            f"The training process of {step.name} {cause}.",
            f"See {log}; the same command goes on from the last checkpoint.",
        )
