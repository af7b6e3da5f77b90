"""Train: a trainer runs in a child process, so that its memory is freed and a crash becomes an error message."""

from __future__ import annotations

import json
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
from openvlt.engines import content_digest
from openvlt.errors import DataError, OpenvltError
from openvlt.interfaces import Trainer, Verifier
from openvlt.records import Model
from openvlt.registry import Built
from openvlt.stages.training_rows import training_rows
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import digest, encode, write_atomically


@dataclass(frozen=True, slots=True)
class Rewards:
    """What a rewarded trainer maximises: verifiers in order, their weights, and weights by source."""

    verifiers: Mapping[str, Built[Verifier]] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    routes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        identities = [(name, built.identity) for name, built in self.verifiers.items()]
        return digest(identities, self.weights, self.routes)


def model_options(trainer: Built[Trainer]) -> dict[str, Model]:
    """The options of a trainer that are models, such as a teacher for on-policy distillation."""
    values = {name: getattr(trainer.component, name) for name in trainer.options}
    return {name: value for name, value in values.items() if isinstance(value, Model)}


def train(
    workspace: Workspace,
    name: str,
    iteration: int,
    inputs: Output,
    trainer: Built[Trainer],
    start: Model,
    rewards: Rewards = Rewards(),
) -> tuple[Output, Path]:
    """Train a model in a child process, or reuse the one that was trained.

    The fingerprint covers the trainer, its data, the contents of all models with their dtype and pixel limits, format,
    seed and rewards.

    Args:
        workspace: of the run.
        name: of the stage.
        iteration: of the stage.
        inputs: selected rows for a trainer that reads traces or pairs, loaded ones for one that reads prompts.
        trainer: the component.
        start: the model training starts from; its id is a folder.
        rewards: for a rewarded trainer.

    Returns:
        The stage's output, and the folder of the trained model.

    Raises:
        OpenvltError: the error of the trainer, or how the child died; the next run resumes from its checkpoints.
    """
    component = trainer.component
    started = time.monotonic()
    models = {option: workspace.locate(model) for option, model in model_options(trainer).items()}
    used = [(content_digest(each, workspace.home), each.dtype, each.pixels) for each in (start, *models.values())]
    made_of = (trainer.identity, inputs.digest, used, workspace.format, workspace.seed, rewards.identity)
    step = Step("train", name, iteration, made_of)
    with claimed(workspace, step) as (folder, known):
        if known is None:
            count = _count(step, inputs, component)
            workspace.progress.begin(step.name, None, "steps")
            job = _write_job(workspace, folder.path, inputs, trainer, start, models, rewards)
            _run(workspace, folder.path, _command(component, job), step)
            result = json.loads((folder.path / "result.json").read_bytes())
            for concern in result["concerns"]:
                workspace.progress.note(f"Warning: {step.name}: {concern}")
            trained = str(Path(result["folder"]).relative_to(folder.path))
            made = {
                "digest": content_digest(Model(id=result["folder"]), workspace.home),
                "in": count,
                "out": 1,
                "model": trained,
                "counts": result["metrics"],
            }
            write_atomically(folder.summary_file, json.dumps(made, indent=1).encode())
            return output(step, folder, made, cached=False, started=started), folder.path / trained
        return output(step, folder, known, cached=True, started=started), folder.path / str(known["model"])


def _count(step: Step, inputs: Output, trainer: Trainer) -> int:
    """Count the rows the trainer learns from.

    Raises:
        DataError: there are none.
        UsageError: the trainer cannot use that many.
    """
    count = sum(1 for _ in training_rows(inputs.rows(), trainer.reads))
    if not count:
        raise DataError(
            f"Stage {step.name}: {inputs.record.name} has no {trainer.reads} to learn from.",
            "Set a larger k for the teacher or use easier questions; a pair needs a correct and an incorrect trace of "
            "one question.",
        )
    trainer.check(count)
    return count


def _write_job(
    workspace: Workspace,
    folder: Path,
    inputs: Output,
    trainer: Built[Trainer],
    start: Model,
    models: Mapping[str, Model],
    rewards: Rewards,
) -> Path:
    job = {
        "trainer": {**_spec(trainer), **{option: json.loads(encode(model)) for option, model in models.items()}},
        "reads": trainer.component.reads,
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


def _spec(built: Built[Any]) -> dict[str, Any]:
    return {"use": built.entry.id, **built.options}


def _command(trainer: Trainer, job: Path) -> list[str]:
    """The command of the child; ``torchrun`` for several processes: ``accelerate launch --cpu`` silently starts one."""
    worker = ["-m", "openvlt.stages.train_worker", str(job)]
    processes = trainer.processes()
    if processes == 1:
        return [sys.executable, *worker]
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", *worker]


def _run(workspace: Workspace, folder: Path, command: list[str], step: Step) -> None:
    """Run the child and report its metrics.

    Raises:
        OpenvltError: it left no result.
    """
    for name in ("result.json", "error.json", "metrics.jsonl"):
        (folder / name).unlink(missing_ok=True)
    environment = system.child_environment(TOKENIZERS_PARALLELISM="false")
    with (folder / "train.log").open("ab") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )
        metrics = _Metrics(workspace, folder / "metrics.jsonl")
        try:
            while child.poll() is None:
                metrics.report()
                time.sleep(0.25)
            metrics.report()
        finally:
            _end(child)
    if not (folder / "result.json").exists():
        raise _failure(folder, step, child.returncode)


class _Metrics:
    """Reports the metrics that a child appends to a file."""

    def __init__(self, workspace: Workspace, path: Path) -> None:
        self._workspace = workspace
        self._path = path
        self._at = 0
        self._step = 0.0
        self._total = 0.0

    def report(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):  # the child is still writing it
                    break
                self._at += len(line)
                self._show(json.loads(line))

    def _show(self, metrics: Mapping[str, float]) -> None:
        if "steps" in metrics and metrics["steps"] != self._total:
            self._total = metrics["steps"]
            self._workspace.progress.begin("", int(self._total), "steps")
        step = metrics.get("step", self._step)
        wanted = ("reward", "loss", "rewards/margins", "completions/mean_length", "mean_token_accuracy")
        self._workspace.progress.advance(
            int(step - self._step), **{key: metrics[key] for key in wanted if key in metrics}
        )
        self._step = step


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and its own children: closing its input asks them, then signals force them."""
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
        error = json.loads((folder / "error.json").read_bytes())
        error_type: type[OpenvltError] = getattr(errors, error["type"], OpenvltError)
        return error_type(error["problem"], error["remedy"])
    except FileNotFoundError:
        with log.open("rb") as file:
            last = deque((line.decode(errors="replace").strip() for line in file if line.strip()), maxlen=1)
        hint = " (out of memory?)" if code == system.KILLED else ""
        message = last[0].rstrip(".") if last else "it wrote no message"
        cause = f"was killed by signal {-code}{hint}" if code < 0 else f"ended with code {code}: {message}"
        return OpenvltError(
            f"The training process of {step.name} {cause}.",
            f"See {log}; the same command resumes from the last checkpoint.",
        )
