"""Writing that a kill, a crash or a full disk leaves either as it was or complete."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openvlt import system
from openvlt.errors import DataError
from openvlt.store.codec import decode, digest

_FULL = {getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EFBIG")}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure to write into an error for the user.

    Raises:
        DataError: the disk is full or read-only.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        full = isinstance(error, sqlite3.OperationalError) or error.errno in _FULL
        remedy = "Free some space there" if full else "Check the path and its permissions"
        raise DataError(
            f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.",
            f"{remedy} and run the same command again; finished work is kept.",
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
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        system.sync(path.parent)


def write_checked(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object with its checksum atomically, for `read_checked`.

    Raises:
        DataError: the disk is full or read-only.
    """
    write_atomically(path, json.dumps({**content, "checksum": digest(content)}, indent=1).encode())


def read_checked(path: Path, *, unchecked: bool = False) -> dict[str, Any]:
    """Read a JSON object, without its checksum.

    Args:
        path: of the file.
        unchecked: accept a file without a checksum, which an earlier version wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    content = decode(dict[str, Any], path.read_bytes())
    if content.pop("checksum", digest(content) if unchecked else None) != digest(content):
        raise ValueError(f"{path} is damaged")
    return content


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
