"""Rows of files that are mostly pictures: the shards of WebDataset, and folders with a folder of images per class."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openvlt.errors import DataError, first_line
from openvlt.tables.limits import MAX_ROW
from openvlt.tables.reading import belongs, open_table

_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_TOO_LONG = f"over {MAX_ROW >> 20} MiB"
CLASS_QUESTION = "What is in the image?"
"""The question about an image whose folder is its class."""


def tar_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Rows of a shard of WebDataset: the files ``key.jpg``, ``key.json``, ``key.txt``, which follow each other.

    A row has the keys of the JSON, the column ``images``, and a column for each other file, by the end of its name; the
    column ``id`` is the key.

    Raises:
        DataError: it is no tar file.
    """
    number, row = 0, dict[str, Any]()
    key: tuple[str, str] | None = None
    try:
        with open_table(path) as content, tarfile.open(fileobj=content, mode="r|") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                folder, _, name = member.name.rpartition("/")
                stem, _, suffix = name.partition(".")
                if (folder, stem) != key:
                    if row:
                        number += 1
                        yield number, row.pop("", None) or row
                    key, row = (folder, stem), {"id": f"{folder}/{stem}".lstrip("/")}
                _add(row, suffix.lower(), archive.extractfile(member), member.size)
        if row:
            yield number + 1, row.pop("", None) or row
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read as tar: {first_line(error)}.", "Download or write it again.") from error


def _add(row: dict[str, Any], suffix: str, file: Any, size: int) -> None:
    """Add one file to a row; the entry ``""`` is the reason why the row cannot be read."""
    if size > MAX_ROW:
        row[""] = _TOO_LONG
        return
    content = file.read()
    if f".{suffix.rpartition('.')[2]}" in _IMAGES:
        row["images"] = [*row.get("images", []), content]
        return
    try:
        text = content.decode("utf-8")
        value = json.loads(text) if suffix == "json" else text.strip()
    except (ValueError, RecursionError):
        row[""] = f"not {suffix or 'text'}"
        return
    row |= {name: each for name, each in value.items() if name} if isinstance(value, dict) else {suffix: value}


def is_class_folder(folder: Path) -> bool:
    """True if a folder contains at least two folders with images."""
    return sum(1 for _ in zip(range(2), _classes(folder), strict=False)) == 2


def class_rows(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """A row for each image: what it shows is the name of its folder, as a choice where there are few classes."""
    classes = [each.name for each in _classes(folder)]
    choices = classes if len(classes) <= 10 else None
    number = 0
    for name in classes:
        for image in _images(folder / name):
            number += 1
            yield number, {
                "id": f"{name}/{image.name}", "image": str(image.absolute()), "question": CLASS_QUESTION,
                "answer": name, "choices": choices,
            }  # fmt: skip


def _classes(folder: Path) -> Iterator[Path]:
    return (each for each in sorted(folder.iterdir()) if each.is_dir() and next(_images(each), None) is not None)


def _images(folder: Path) -> Iterator[Path]:
    return (each for each in sorted(folder.iterdir()) if each.suffix.lower() in _IMAGES and belongs(each, folder))
