"""What no run needs: stages, cached values, images and models that no run's record refers to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from openvlt.records import Row
from openvlt.store.home import Home
from openvlt.store.locks import any_claimed, unpruned
from openvlt.store.runs import list_runs, logged_stages
from openvlt.store.stage import StageFolder


@dataclass(frozen=True, slots=True)
class Unneeded:
    """Something no run needs.

    Attributes:
        category: ``stage``, ``values`` or ``image``.
        path: the folder or file.
        size: in bytes.
    """

    category: str
    path: Path
    size: int


def find_unneeded(home: Home) -> list[Unneeded]:
    """List what no run needs; nothing is deleted.

    A run needs every stage that its log or its record names, whatever became of the run, and the models its recipe
    starts from. While some run is at work or not done, or one of its stages is incomplete, all values and images are
    kept, since it resumes from them; while one is at work, incomplete stages are kept, too.
    """
    runs, at_work = list(list_runs(home)), any_claimed(home)
    needed = _needed(home)
    found: list[Unneeded] = []
    values: set[str] = set()
    images: set[str] = set()
    resumed = at_work or any(run.status != "done" for run in runs) or any(_is_unfinished(home, name) for name in needed)
    for path in sorted(home.stages.iterdir()):
        if not path.is_dir():
            continue
        folder = StageFolder(path)
        summary = folder.summary()
        if path.name not in needed:
            if not (at_work and summary is None):
                found.append(Unneeded("stage", path, _size(path)))
        elif not resumed and summary is not None and "model" not in summary:
            values.update([str(summary.get("values", "")), *summary.get("replies", [])])
            images.update(image.sha256 for row in folder.rows(Row) for image in row.example.images)
    if not resumed:
        found += [
            Unneeded("values", each, _size(each)) for each in sorted(home.values.iterdir()) if each.name not in values
        ]
        files = (path for path in sorted(home.images.glob("*/*")) if path.name not in images)
        found += [Unneeded("image", path, path.stat().st_size) for path in files]
    return found


def free(home: Home) -> Iterator[Unneeded]:
    """Delete what no run needs, and yield what was deleted; no run begins meanwhile.

    Raises:
        UsageError: another process prunes the store.
    """
    with unpruned(home):
        for each in find_unneeded(home):
            if each.category == "image":
                each.path.unlink(missing_ok=True)
            elif each.category == "values":
                shutil.rmtree(each.path)
            elif not _freed(home, each.path):
                continue
            yield each


def _freed(home: Home, stage: Path) -> bool:
    """Delete a stage, unless a process works on it or a run at work has come to need it since it was found."""
    lock = FileLock(stage.with_suffix(".lock"), timeout=0)
    try:
        with lock:
            if stage.name in logged_stages(home):
                return False
            shutil.rmtree(stage)
            Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        return False
    return True


def _needed(home: Home) -> set[str]:
    """Stages that a log or a record names, or whose model a recipe starts from by its path."""
    records = {Path(stage.folder).name for run in list_runs(home) for stage in run.stages if stage.folder}
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in home.runs.glob("*/recipe.json")]
    bases = {path.name for path in home.stages.iterdir() if any(path.name in text for text in texts)}
    return records | bases | logged_stages(home)


def _is_unfinished(home: Home, stage: str) -> bool:
    """True if a stage is incomplete or damaged, so that it will be made (again) from values and images."""
    folder = StageFolder(home.stages / stage)
    summary = folder.summary()
    return summary is None or folder.damaged(summary) is not None


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
