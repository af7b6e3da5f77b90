"""The record of every run, ``runs/<name>/run.json``, and the log of the stages it uses, ``stages.log``.

Finished work must outlive a process that ends at any moment, and its next attempt:

- A stage is in the log, on disk, before anything of it is read or written. The log only grows until the run is removed,
  so that what a run has, had or is about to use is known to whoever prunes the store.
- ``run.json`` is replaced atomically, after each stage, by a record that has no less than the one before: a run that is
  carried out again keeps the stages it has not reached again, and the record of a finished run stays as it is until the
  new attempt is finished, too. So every reader needs one file, and a kill between any two writes loses nothing.
- The status ``running`` counts only while a process holds the lock of the run (`openvlt.store.locks`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from openvlt import system
from openvlt.errors import DataError, UsageError, closest
from openvlt.records import Format, Model, Run, StageRecord
from openvlt.store.codec import decode, encode
from openvlt.store.home import Home
from openvlt.store.locks import is_claimed, is_name, run_folder
from openvlt.store.stage import StageFolder
from openvlt.store.writing import write_atomically, writing

T = TypeVar("T")


def write_run(home: Home, run: Run) -> None:
    """Write a run's record atomically.

    Raises:
        DataError: the disk is full or read-only.
    """
    write_atomically(run_folder(home, run.name) / "run.json", encode(run))


def extended(earlier: Run | None, run: Run) -> Run:
    """The record of a run that is carried out again, which has no less than its earlier one.

    Args:
        earlier: the record before this attempt, None if there is none.
        run: the record of this attempt.
    """
    names = {stage.name for stage in run.stages}
    if earlier is None or (run.status == "done" and not names < {stage.name for stage in earlier.stages}):
        return run
    if earlier.status == "done":
        return earlier
    scored = {(score.benchmark, score.stage) for score in run.scores}
    left = tuple(stage for stage in earlier.stages if stage.name not in names)
    return replace(
        run,
        status=earlier.status if run.status == "done" else run.status,
        planned=tuple(dict.fromkeys((*run.planned, *earlier.planned))),
        stages=(*run.stages, *left),
        scores=(*run.scores, *(each for each in earlier.scores if (each.benchmark, each.stage) not in scored)),
        model=earlier.model if any(stage.stage_kind == "train" for stage in left) else run.model or earlier.model,
        notes=tuple(dict.fromkeys((*run.notes, *earlier.notes))),
        releases={**earlier.releases, **run.releases},
    )


def log_stage(home: Home, name: str, fingerprint: str) -> None:
    """Note that a run uses a stage, before it does; once this returns, the note survives a crash.

    Raises:
        DataError: the disk is full or read-only.
    """
    path = run_folder(home, name) / "stages.log"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        logged = path.read_bytes() if path.exists() else b""
        if fingerprint.encode() in logged.splitlines():
            return
        torn = b"" if logged.endswith(b"\n") or not logged else b"\n"
        with path.open("ab") as log:
            log.write(torn + fingerprint.encode() + b"\n")
            log.flush()
            os.fsync(log.fileno())
        if not logged:
            system.sync(path.parent)
            system.sync(home.runs)


def remove_run(home: Home, name: str) -> None:
    """Delete a run's folder, its record last, so that a run that was removed only in part is still listed."""
    folder = run_folder(home, name)
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        elif each.name != "run.json":
            each.unlink()
    shutil.rmtree(folder)


def logged_stages(home: Home) -> set[str]:
    """The fingerprints in the logs of all runs."""
    logs = (path.read_text(encoding="utf-8", errors="replace") for path in home.runs.glob("*/stages.log"))
    return {line for log in logs for line in log.splitlines()}


def read_run(home: Home, name: str) -> Run:
    """Read the record of a run; one that was killed while it was running is ``interrupted``.

    Raises:
        UsageError: there is no such run, or it cannot be a name.
        DataError: its record cannot be read.
    """
    path = run_folder(home, name) / "run.json"
    try:
        run = _read(path)
        if run.status != "running" or is_claimed(home, name):
            return run
        run = _read(path)  # it may have ended since
        return replace(run, status="interrupted") if run.status == "running" else run
    except FileNotFoundError:
        raise UsageError(f"There is no run '{name}' in {home.runs}.", closest(name, sorted(run_names(home)))) from None


def list_runs(home: Home) -> Iterator[Run]:
    """All runs, the last written first.

    Raises:
        DataError: a record cannot be read.
    """
    for name in run_names(home):
        yield read_run(home, name)


def run_names(home: Home) -> list[str]:
    """Names of all runs, the last written first."""
    paths = [path for path in home.runs.glob("*/run.json") if is_name(path.parent.name)]
    return [path.parent.name for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)]


def earlier_run(home: Home, name: str) -> Run | None:
    """The record as it is in its file; None if there is none or it cannot be read, so that it is written anew."""
    try:
        return _read(run_folder(home, name) / "run.json")
    except (FileNotFoundError, DataError):
        return None


def _read(path: Path) -> Run:
    content = path.read_bytes()
    try:
        return decode(Run, content)
    except ValueError as error:
        raise DataError(
            f"The run record {path} cannot be read.", "Run its command again to rewrite it, or delete its folder."
        ) from error


def find_stage(home: Home, run: Run, name: str) -> tuple[StageRecord, StageFolder]:
    """The last stage of a run with a name (``select-2``) or a stage kind (``select``).

    Raises:
        UsageError: the run has no such stage.
    """
    for record in reversed(run.stages):
        if name in (record.name, record.stage_kind):
            return record, StageFolder(home.root / record.folder)
    raise UsageError(f"The run '{run.name}' has no stage '{name}'.", closest(name, [each.name for each in run.stages]))


def model_of_run(home: Home, id: str) -> Model:
    """The model that ``run:NAME/STAGE`` names: what the stage trained, or the run's ``base``; without STAGE the last.

    Raises:
        UsageError: there is no such run or model.
        DataError: the recipe or the record of the models cannot be read, or the model is damaged.
    """
    name, _, stage = id.removeprefix("run:").partition("/")
    run = read_run(home, name)
    if (run_folder(home, name) / "result.json").exists():
        raise UsageError(
            f"The run '{name}' is the result of a benchmark and has no models.", "Name a run of 'openvlt train'."
        )
    trained = {record.name: record for record in run.stages if record.stage_kind == "train"}
    base = _of_recipe(home, name, "base", Model)
    if stage == "base":
        return base
    if not trained and run.status == "done":
        raise UsageError(f"The run '{name}' is done, and no stage of it trains a model.", f"Name run:{name}/base.")
    if not trained:
        raise UsageError(f"The run '{name}' has trained no model yet.", f"Resume the run, or name run:{name}/base.")
    stage = stage or list(trained)[-1]
    if stage not in trained:
        raise UsageError(f"The run '{name}' has no model '{stage}'.", closest(stage, [*trained, "base"]))
    folder = StageFolder(home.root / trained[stage].folder)
    if (path := folder.model()) is None:
        raise UsageError(f"The model of '{id}' is missing from {folder.path}.", "Run the same training again.")
    model = _models(home, name).get(stage, base)
    return replace(model, id=str(path), revision=None)


def write_models(home: Home, name: str, models: Mapping[str, Model]) -> None:
    """Add to what a run has trained, by stage: runs that share a stage may run its model with other settings.

    Raises:
        DataError: the disk is full or read-only.
    """
    try:
        earlier = _models(home, name)
    except DataError:  # damaged: it is written anew
        earlier = {}
    write_atomically(run_folder(home, name) / "models.json", encode({**earlier, **models}))


def _models(home: Home, name: str) -> dict[str, Model]:
    path = run_folder(home, name) / "models.json"
    try:
        return decode(dict[str, Model], path.read_bytes())
    except FileNotFoundError:  # a run of an earlier version
        return {}
    except ValueError as error:
        raise DataError(
            f"The models of the run '{name}' cannot be read from {path}.", "Run its command again."
        ) from error


def read_format(home: Home, name: str) -> Format:
    """How the policy of a run is asked and answers, from the recipe stored with its record.

    Raises:
        DataError: the recipe cannot be read.
    """
    return _of_recipe(home, name, "format", Format)


def read_reward(home: Home, name: str) -> dict[str, Any]:
    """The keys ``rewards``, ``routes``, ``verifiers`` and ``format`` of the recipe stored with a run's record.

    Raises:
        DataError: the recipe cannot be read.
    """
    return {key: _of_recipe(home, name, key, dict[str, Any]) for key in ("rewards", "routes", "verifiers", "format")}


def read_bench(home: Home, name: str) -> list[dict[str, Any]]:
    """The benchmarks of the recipe stored with a run's record.

    Raises:
        DataError: the recipe cannot be read.
    """
    return _of_recipe(home, name, "bench", list[dict[str, Any]])


def _of_recipe(home: Home, name: str, key: str, value_type: type[T]) -> T:
    path = run_folder(home, name) / "recipe.json"
    try:
        return decode(value_type, json.dumps(decode(dict[str, Any], path.read_bytes())[key]))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"The recipe of the run '{name}' cannot be read from {path}: {error}.",
            "Run its command again to restore it.",
        ) from error
