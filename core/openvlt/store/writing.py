"""Writing that a kill, a crash or a full disk leaves either as it was or complete."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openvlt import system
from openvlt.errors import DataError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure to write into an error for the user.

    Raises:
        DataError: the disk is full or read-only.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise DataError(
            f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.",
            "Free some space there and run the same command again; finished work is kept.",
        ) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, creating its folder, so that readers see either the old content or the new, never a part of it.

    Once this returns, the new content survives a crash of the machine.

    Raises:
        DataError: the disk is full or read-only.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        system.sync(path.parent)


def sync_tree(path: Path) -> None:
    """Make a file, or all files and folders in a folder, survive a crash of the machine; and its name, too."""
    for each in (path, *path.rglob("*"), path.parent):
        system.sync(each)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, which takes its place at the end; after an error or a kill the old one is there.

    Raises:
        DataError: the disk is full or read-only.
    """
    folder = folder.resolve()
    partial = folder.with_name(f".{folder.name}.partial")
    with writing(folder):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield partial
            sync_tree(partial)
            system.exchange(partial, folder)
            system.sync(folder.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
