"""Which files may be read for a data set that somebody else made, and how.

A row may name any file of the machine, and a data set may contain a fifo or a link to a device, which end no read. So
a file is opened only if it is a regular one, and a file that a row names only if it lies in the data's own folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path

from openvlt.errors import DataError, Reject
from openvlt.records import Image, NewImage

_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # the open of a fifo must not wait for a writer


def open_regular(path: Path) -> BufferedReader:
    """Open a file to read its bytes.

    Raises:
        OSError: it cannot be opened, or is not a regular file (a folder, device, fifo or socket).
    """
    try:
        # Before the open, since to open a device may already do something; after it, since the file may be replaced.
        _require_regular(os.stat(path))
        file = open(path, "rb", opener=_open)  # noqa: SIM115 - returned
    except ValueError as error:  # a NUL, or a lone surrogate
        raise OSError(0, "not a file name") from error
    try:
        _require_regular(os.fstat(file.fileno()))
    except OSError:
        file.close()
        raise
    return file


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | _FLAGS)


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "not a regular file")


def open_table(path: Path) -> BufferedReader:
    """Open a file that the user names, or that lies in a folder that the user names.

    Raises:
        DataError: it cannot be opened, or is not a regular file.
    """
    try:
        return open_regular(path)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.", "Name another file.") from error


def image_folders(path: Path, file: Path, named: str | None) -> tuple[Path, ...]:
    """The folders of `images_of` for the rows of a file.

    Args:
        path: of the data, a file or a folder, as the user gave it; images stay in the folder.
        file: which of its files; image paths are relative to its folder.
        named: the folder of the images, if the user names one.
    """
    if named is not None:
        return (Path(named),)
    return file.parent, path if path.is_dir() else file.parent


def image_digest(image: Image) -> str:
    """The sha256 (hex) of the content of an image that a source yields; of its path, if it cannot be read."""
    origin = image.origin if isinstance(image, NewImage) else image.sha256
    if not isinstance(origin, Path):
        return hashlib.sha256(origin if isinstance(origin, bytes) else origin.encode()).hexdigest()
    try:
        with open_regular(origin) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return hashlib.sha256(os.fsencode(origin)).hexdigest()


def inside(path: Path, *folders: Path) -> Path:
    """The file behind a path, if it lies in one of the folders once all links are followed.

    The hub's cache keeps the content of a repository's ``snapshots`` in its ``blobs``, to which the files of a snapshot
    are links; these belong to the snapshot.

    Raises:
        Reject: it does not, or the path cannot be one.
    """
    try:
        found = Path(os.path.realpath(path))
        for folder in map(Path, map(os.path.realpath, folders)):
            if found.is_relative_to(folder) or found.parent == _blobs(folder):
                return found
    except (OSError, ValueError) as error:  # a NUL, or a lone surrogate
        raise Reject("an image's path is not a file name") from error
    raise Reject("an image is outside the data's folder; set image_folder if that is intended")


def belongs(file: Path, folder: Path) -> bool:
    """True for a regular file that lies in the folder once links are followed: who made the folder made the links."""
    try:
        return inside(file, folder).is_file()
    except Reject:
        return False


def _blobs(folder: Path) -> Path | None:
    """The ``blobs`` beside the snapshot that a folder lies in: ``datasets--owner--name/snapshots/commit/...``."""
    parts = folder.parts
    for at, part in enumerate(parts[:-2]):
        if part.startswith(("datasets--", "models--", "spaces--")) and parts[at + 1] == "snapshots":
            return Path(*parts[: at + 1], "blobs")
    return None
