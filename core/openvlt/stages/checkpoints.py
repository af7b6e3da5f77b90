"""Checkpoints of a training: which are complete, and the records that belong to them.

A training may be killed at any moment, the disk may fill up, a file may lose a bit. So a checkpoint counts only if it
has a manifest, with the size and the digest of each of its files, which is written after the files are on disk. The
manifest also has the sizes that the records (metrics, completions) had then. A training that resumes from a checkpoint
repeats what came after it; the records are cut to these sizes first, so that they hold every step once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from openvlt import system
from openvlt.store import file_digest, read_checked, write_checked, writing

MANIFEST = "manifest.json"
ENGINE = "engine"
"""Folder of a trainer of another environment, with checkpoints of its own."""
RECORDS = ("metrics.jsonl", "completions-*.jsonl")


def contents(folder: Path) -> dict[str, list[Any]]:
    """Size in bytes and digest of each file in a folder, by its path in there; the files are synced to disk."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            found[path.relative_to(folder).as_posix()] = [_synced_size(path), file_digest(path)]
    return found


def damage(folder: Path, written: Mapping[str, list[Any]]) -> str | None:
    """The first difference between a folder and its `contents` when it was written; None if there is none."""
    for name, (size, _) in written.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size:,} of {size:,} bytes"
    return next(
        (f"{name} has changed" for name, (_, sha) in written.items() if file_digest(folder / name) != sha), None
    )


def complete(checkpoint: Path, folder: Path) -> None:
    """Write the manifest of a checkpoint that is written entirely, and of the records in a folder.

    Raises:
        DataError: the disk is full or read-only.
    """
    with writing(checkpoint):
        records = {path.name: _synced_size(path) for path in _records(folder)}
        manifest = {"files": contents(checkpoint), "records": records}
    write_checked(checkpoint / MANIFEST, manifest)


def checkpoints(folder: Path) -> list[Path]:
    """All folders ``checkpoint-N``, complete or not, the highest number first."""
    found = (path for path in folder.glob("checkpoint-*") if path.is_dir() and path.name[11:].isdecimal())
    return sorted(found, key=lambda path: int(path.name[11:]), reverse=True)


def last_complete(folder: Path) -> tuple[Path | None, dict[Path, str]]:
    """The complete checkpoint with the highest number, None if there is none; and why those after it do not count."""
    skipped: dict[Path, str] = {}
    for checkpoint in checkpoints(folder):
        if (problem := _problem(checkpoint)) is None:
            return checkpoint, skipped
        skipped[checkpoint] = problem
    return None, skipped


def _problem(checkpoint: Path) -> str | None:
    try:
        return damage(checkpoint, read_checked(checkpoint / MANIFEST)["files"])
    except FileNotFoundError:
        return "its saving was interrupted"
    except (OSError, ValueError):
        return f"its {MANIFEST} cannot be read"


def cut_records(folder: Path, checkpoint: Path | None) -> list[str]:
    """Cut the records to what they held at a checkpoint, None for nothing; returns what is missing from them.

    Raises:
        DataError: the disk is full or read-only.
    """
    sizes: dict[str, int] = read_checked(checkpoint / MANIFEST)["records"] if checkpoint else {}
    with writing(folder):
        for path in _records(folder):
            if path.name not in sizes:
                path.unlink()
        return [lost for name, size in sizes.items() if (lost := _cut(folder / name, size))]


def _cut(record: Path, size: int) -> str | None:
    with record.open("ab") as file:
        lost = size - file.tell()
        if lost > 0:
            file.write(b"\n")  # its last line may be torn
            return f"{record.name} has lost {lost:,} bytes of what came before the checkpoint"
        file.truncate(size)
        return None


def remove_checkpoints(paths: Iterable[Path]) -> None:
    """Delete checkpoints that no training resumes from any more."""
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)


def _records(folder: Path) -> list[Path]:
    return [path for pattern in RECORDS for path in sorted(folder.glob(pattern))]


def _synced_size(path: Path) -> int:
    system.sync(path)
    return path.stat().st_size
