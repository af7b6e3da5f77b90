"""The record of every run, ``runs/<name>/run.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from openvlt.errors import DataError, UsageError, closest
from openvlt.records import Format, Model, Run, StageRecord
from openvlt.store.codec import decode, encode
from openvlt.store.home import Home
from openvlt.store.stage import StageFolder, write_atomically

T = TypeVar("T")

_NAME = re.compile(r"\w[\w. +-]*")


def run_folder(home: Home, name: str) -> Path:
    """The folder of a run.

    Raises:
        UsageError: it cannot be a name, such as a path that leads out of the store.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' cannot be the name of a run.",
            "Use letters, digits, dots, dashes and underscores, and begin with a letter or a digit.",
        )
    return home.runs / name


def write_run(home: Home, run: Run) -> None:
    """Write a run's record atomically.

    Raises:
        DataError: the disk is full or read-only.
    """
    write_atomically(run_folder(home, run.name) / "run.json", encode(run))


@contextmanager
def claimed_run(home: Home, name: str) -> Iterator[None]:
    """Lock a run, so that no other process overwrites its record.

    Raises:
        UsageError: another process is carrying out the same run.
    """
    lock = FileLock(run_folder(home, f"{name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"Another process is working on the same run {name}.",
            "Wait until it has ended, or give this one a name of its own (--name).",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _is_claimed(home: Home, name: str) -> bool:
    """True if a process is carrying out the run, or if that cannot be told, as in a store of another user."""
    lock = run_folder(home, f"{name}.lock")
    try:
        with FileLock(lock, timeout=0):
            return False
    except OSError:  # a timeout, or no permission
        return True


def read_run(home: Home, name: str) -> Run:
    """Read the record of a run; one that was killed while it was running is ``interrupted``.

    Raises:
        UsageError: there is no such run, or it cannot be a name.
        DataError: its record cannot be read.
    """
    path = run_folder(home, name) / "run.json"
    try:
        run = _read(path)
        if run.status != "running" or _is_claimed(home, name):
            return run
        run = _read(path)  # it may have ended since
        return replace(run, status="interrupted") if run.status == "running" else run
    except FileNotFoundError:
        names = sorted(path.parent.name for path in home.runs.glob("*/run.json"))
        raise UsageError(f"There is no run '{name}' in {home.runs}.", closest(name, names)) from None


def list_runs(home: Home) -> Iterator[Run]:
    """All runs, the last written first.

    Raises:
        DataError: a record cannot be read.
    """
    for name in run_names(home):
        yield read_run(home, name)


def run_names(home: Home) -> list[str]:
    """Names of all runs, the last written first."""
    paths = sorted(home.runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [path.parent.name for path in paths]


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
        DataError: the recipe or the record of the models cannot be read.
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
    if (summary := folder.summary()) is None:
        raise UsageError(f"The model of '{id}' is missing from {folder.path}.", "Run the same training again.")
    model = _models(home, name).get(stage, base)
    return replace(model, id=str(folder.path / str(summary["model"])), revision=None)


def write_models(home: Home, name: str, models: Mapping[str, Model]) -> None:
    """Write what a run has trained, by stage: runs that share a stage may run its model with other settings.

    Raises:
        DataError: the disk is full or read-only.
    """
    write_atomically(run_folder(home, name) / "models.json", encode(dict(models)))


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


def _of_recipe(home: Home, name: str, key: str, value_type: type[T]) -> T:
    path = run_folder(home, name) / "recipe.json"
    try:
        return decode(value_type, json.dumps(json.loads(path.read_bytes())[key]))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"The recipe of the run '{name}' cannot be read from {path}: {error}.",
            "Run its command again to restore it.",
        ) from error
