"""Train: a trainer runs in a child process, so that its memory is freed and a crash becomes an error message."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openvlt.engines import content_digest, file_digests
from openvlt.errors import DataError
from openvlt.interfaces import Trainer, Verifier
from openvlt.keys import KEYS, endpoint_key
from openvlt.records import Format, Model
from openvlt.registry import Built
from openvlt.stages import launch
from openvlt.stages.asker import model_options
from openvlt.stages.checkpoints import ENGINE, checkpoints, cut_records, damage, last_complete, remove_checkpoints
from openvlt.stages.train_process import run_child
from openvlt.stages.training_rows import training_rows
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import StageFolder, digest, encode, model_digest, read_checked, write_atomically, writing
from openvlt.verification import WeightSpec, asking_among

_MORE = {
    "traces": "Load more examples, raise the teacher's k, or loosen the filters",
    "pairs": "Load more examples or raise the teacher's k (a pair is a correct and an incorrect trace of a question)",
    "prompts": "Load more examples",
}


@dataclass(frozen=True, slots=True)
class Rewards:
    """What a rewarded trainer maximises: verifiers in order, their weights, and weights by source."""

    verifiers: Mapping[str, Built[Verifier]] = field(default_factory=dict)
    weights: Mapping[str, WeightSpec] = field(default_factory=dict)
    routes: Mapping[str, Mapping[str, WeightSpec]] = field(default_factory=dict)

    @property
    def models(self) -> dict[str, Model]:
        """The models that its verifiers ask, by the verifier's name."""
        return {name: built.component.model for name, built in asking_among(self.verifiers).items()}

    @property
    def identity(self) -> str:
        identities = [(name, built.identity) for name, built in self.verifiers.items()]
        return digest(identities, self.weights, self.routes)


def train(
    workspace: Workspace,
    name: str,
    iteration: int,
    inputs: Output,
    trainer: Built[Trainer],
    start: Model,
    rewards: Rewards = Rewards(),
    min_rows: int | None = None,
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
        min_rows: see `check_count`; it changes nothing that is made.

    Returns:
        The stage's output, and the folder of the trained model.

    Raises:
        DataError: there is too little to train on, or verifiers failed in it and the recipe is strict.
        OpenvltError: the error of the trainer, or how the child died; the next run resumes from its checkpoints.
    """
    started = time.monotonic()
    models = {option: workspace.locate(model) for option, model in model_options(trainer).items()}
    asked = map(workspace.locate, rewards.models.values())
    used = [
        (content_digest(each, workspace.home), each.dtype, each.pixels) for each in (start, *models.values(), *asked)
    ]
    made_of = (trainer.identity, inputs.digest, used, workspace.format, workspace.seed, rewards.identity)
    step = Step("train", name, iteration, made_of)
    with claimed(workspace, step) as (folder, known):
        if known:
            workspace.reused(step.name, known.get("faults", {}))
        made = known or _make(workspace, step, folder, inputs, trainer, start, models, rewards, min_rows=min_rows)
        if not workspace.dry_run:
            # last: until now a kill at any point resumes from them
            remove_checkpoints([*checkpoints(folder.path), folder.path / ENGINE])
        done = output(step, folder, made, cached=known is not None, started=started)
        return done, folder.path / str(made["model"])


def _make(
    workspace: Workspace,
    step: Step,
    folder: StageFolder,
    inputs: Output,
    trainer: Built[Trainer],
    start: Model,
    models: Mapping[str, Model],
    rewards: Rewards,
    *,
    min_rows: int | None,
) -> dict[str, Any]:
    """Train, or take the result of a training whose parent was killed before it could; returns the stage's summary."""
    count, batch = count_rows(step.name, inputs, trainer.component, min_rows), trainer.component.batch_rows()
    if count < 2 * batch:
        workspace.progress.note(
            f"Warning: {step.name} learns from {count} {trainer.component.reads}, fewer than two batches of {batch}."
        )
    workspace.progress.begin(step.name, None, "steps")
    result = _finished(workspace, step, folder.path)
    if result is None:
        checkpoint = _prepare(workspace, step, folder.path)
        job = _write_job(workspace, folder.path, inputs, trainer, start, models, rewards, checkpoint)
        secrets = json.loads(job.read_bytes())["secrets"]
        command, environment = launch.command(trainer.component, job), launch.environment(trainer.component, *secrets)
        run_child(command, environment, folder.path, step.name, workspace.progress)
        result = read_checked(folder.path / "result.json")
    for concern in result["concerns"]:
        workspace.progress.note(f"Warning: {step.name}: {concern}")
    model = folder.path / result["model"]
    files = file_digests(model, workspace.home, {name: sha for name, (_, sha) in result["files"].items()})
    made = {
        "digest": model_digest(files),
        "in": count,
        "out": 1,
        "model": result["model"],
        "counts": result["metrics"],
        "faults": result.get("faults", {}),
    }
    return folder.complete(made, {f"{result['model']}/{file}": found for file, found in files.items()})


def _finished(workspace: Workspace, step: Step, folder: Path) -> dict[str, Any] | None:
    """The result that an earlier process left, if the model is what that process wrote; otherwise it is deleted."""
    path = folder / "result.json"
    try:
        result = read_checked(path)
        problem = damage(folder / result["model"], result["files"])
    except FileNotFoundError:
        return None
    except ValueError:
        problem = "result.json cannot be read"
    if problem is None:
        return result
    workspace.progress.note(f"Warning: {step.name} is trained again: {problem}.")
    with writing(path):
        path.unlink()
    return None


def _prepare(workspace: Workspace, step: Step, folder: Path) -> Path | None:
    """Find the checkpoint to resume from, None for the first step, and cut the records to what led to it."""
    checkpoint, skipped = last_complete(folder)
    notes = [f"{path.name} is skipped: {problem}" for path, problem in skipped.items()]
    if skipped:
        notes.append(f"the training resumes from {checkpoint.name if checkpoint else 'its first step'}")
    if checkpoint:
        remove_checkpoints(skipped)  # else a trainer might keep them, and delete complete ones
    for note in [*notes, *cut_records(folder, checkpoint)]:
        workspace.progress.note(f"Warning: {step.name}: {note}.")
    return checkpoint


def _secrets_of_models(models: Iterable[Model]) -> list[str]:
    """Secret variables without which a model cannot be downloaded or asked: the hub's token, the key for a host."""
    names: list[str] = []
    for model in models:
        if model.url:
            names += [KEYS, *(endpoint_key(url).name for url in model.url)]
        elif not Path(model.id).exists():
            names += ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"]
    return names


def count_rows(name: str, inputs: Output, trainer: Trainer, min_rows: int | None) -> int:
    """Count the traces, pairs or prompts that a stage learns from.

    Raises:
        DataError: see `check_count`.
    """
    ready = Format() if _has_ready_traces(inputs) else None
    count = sum(1 for _ in training_rows(inputs.rows(), trainer.reads, ready))
    check_count(name, count, trainer, min_rows)
    return count


def check_count(name: str, count: int, trainer: Trainer, min_rows: int | None) -> None:
    """Refuse to train on too little.

    Args:
        name: of the stage.
        count: traces, pairs or prompts, whichever the trainer reads.
        trainer: what learns from them.
        min_rows: the fewest of them; None is one batch.

    Raises:
        DataError: there are fewer.
    """
    least = trainer.batch_rows() if min_rows is None else min_rows
    has, more = f"Stage {name} has {count or 'no'} {trainer.reads} to learn from", _MORE[trainer.reads]
    if not count:
        raise DataError(f"{has}.", f"{more}.")
    if count < least:
        floor = f"one batch ({least})" if min_rows is None else f"the {min_rows} of min_rows"
        lower = f"--set train.{name.rpartition('-')[0]}.min_rows={count}"
        raise DataError(f"{has}, fewer than {floor}.", f"{more}, or train on fewer ({lower}).")


def _has_ready_traces(inputs: Output) -> bool:
    """True if no teacher has seen the rows: they come from a source."""
    return inputs.record.stage_kind != "select"


def _write_job(
    workspace: Workspace,
    folder: Path,
    inputs: Output,
    trainer: Built[Trainer],
    start: Model,
    models: Mapping[str, Model],
    rewards: Rewards,
    checkpoint: Path | None,
) -> Path:
    job = {
        "trainer": {**_spec(trainer), **{option: json.loads(encode(model)) for option, model in models.items()}},
        "reads": trainer.component.reads,
        "ready": _has_ready_traces(inputs),
        "model": json.loads(encode(start)),
        "format": json.loads(encode(workspace.format)),
        "seed": workspace.seed,
        "strict": workspace.strict,
        "folder": str(folder),
        "checkpoint": checkpoint and str(checkpoint),
        "rows": str(inputs.folder.rows_file),
        "home": str(workspace.home.root),
        "verifiers": {name: _spec(built) for name, built in rewards.verifiers.items()},
        "weights": json.loads(encode(rewards.weights)),
        "routes": json.loads(encode(rewards.routes)),
        "files": [str(path) for path in workspace.registry.files],
        "secrets": [  # their names
            *trainer.component.secrets(),
            *_secrets_of_models([start, *models.values(), *rewards.models.values()]),
        ],
    }
    path = folder / "job.json"
    write_atomically(path, json.dumps(job, indent=1).encode())
    return path


def _spec(built: Built[Any]) -> dict[str, Any]:
    return {"use": built.entry.id, **built.options}
