"""What no run needs: stages, cached values, images and models that no run's record refers to."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from openvlt.records import Row, Run
from openvlt.store.home import Home
from openvlt.store.runs import list_runs
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

    While some run is not done, incomplete stages and all values and images are kept: the run resumes from them.
    """
    runs = list(list_runs(home))
    unfinished = any(run.status != "done" for run in runs)
    needed = {Path(stage.folder).name for run in runs for stage in run.stages if stage.folder}
    needed |= _bases(home, runs)
    found: list[Unneeded] = []
    values: set[str] = set()
    images: set[str] = set()
    for path in sorted(home.stages.iterdir()):
        if not path.is_dir():
            continue
        folder = StageFolder(path)
        summary = folder.summary()
        if path.name not in needed and not (unfinished and summary is None):
            found.append(Unneeded("stage", path, _size(path)))
        elif summary is not None and folder.rows_file.exists():
            values.add(str(summary.get("values", "")))
            images.update(image.sha256 for row in folder.rows(Row) for image in row.example.images)
    if not unfinished:
        found += [
            Unneeded("values", each, _size(each)) for each in sorted(home.values.iterdir()) if each.name not in values
        ]
        files = (path for path in sorted(home.images.glob("*/*")) if path.name not in images)
        found += [Unneeded("image", path, path.stat().st_size) for path in files]
    return found


def free(unneeded: Iterable[Unneeded]) -> Iterator[Unneeded]:
    """Delete what `find_unneeded` found and yield what was deleted; a stage another process works on is kept."""
    for each in unneeded:
        if each.category == "image":
            each.path.unlink(missing_ok=True)
        elif each.category == "values":
            shutil.rmtree(each.path)
        elif not _freed(each.path):
            continue
        yield each


def _freed(stage: Path) -> bool:
    lock = FileLock(stage.with_suffix(".lock"), timeout=0)
    try:
        with lock:
            shutil.rmtree(stage)
    except Timeout:
        return False
    Path(lock.lock_file).unlink(missing_ok=True)
    return True


def _bases(home: Home, runs: Iterable[Run]) -> set[str]:
    """Stages whose model a recipe starts from by its path."""
    texts = [
        path.read_text(encoding="utf-8") for run in runs if (path := home.runs / run.name / "recipe.json").exists()
    ]
    return {path.name for path in home.stages.iterdir() if any(path.name in text for text in texts)}


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
