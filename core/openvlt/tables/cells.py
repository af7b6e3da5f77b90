"""The content of a cell: text, a whole number, choices or images, in any of the forms that data sets use."""

from __future__ import annotations

import ast
import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openvlt.errors import Reject
from openvlt.records import Image
from openvlt.tables.reading import inside

_EMPTY = ("", "nan", "none", "null")
_MAX_LITERAL = 100_000  # characters: the tree of a literal takes some hundred times the memory of its text
_MAX_PATH = 1024  # characters; what is longer can only be an encoded image
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
_QUOTED = re.compile(r"""'([^']+)'|"([^"]+)\"""")
_WRITTEN_LIST = re.compile(r"""\[(?:\s*+(?:'[^']++'|"[^"]++")\s*+(?:,|(?=\])))++\s*+\]""")


def is_empty(value: Any) -> bool:
    """True if a cell has no content, which spreadsheets and pandas also write as ``nan``, ``None`` or ``null``."""
    return value is None or str(value).strip().lower() in _EMPTY


def text_of(value: Any) -> str:
    """The cell as text, whole floats without their point: spreadsheets and Parquet store 12 as 12.0."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def whole_number_of(value: Any, field: str) -> int | None:
    """The cell as a whole number; None if it is empty.

    Args:
        value: a number or the text of one; Parquet stores an integer column with gaps as floats.
        field: what the number is, for the reason.

    Raises:
        Reject: it is not a whole number.
    """
    if is_empty(value):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = 0.5
    if not number.is_integer():
        raise Reject(f"{field} is not a whole number")
    return int(number)


def literal_of(text: str) -> Any:
    """The JSON or Python value of a text, read without running it; None if it is neither."""
    if len(text) > _MAX_LITERAL:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def choices_of(value: Any) -> tuple[str, ...]:
    """The cell as choices: a list, a mapping from letters, in which an empty choice keeps its letter, or the text of
    either.

    Raises:
        Reject: it is none of these.
    """
    if is_empty(value):
        return ()
    if isinstance(value, str):
        value = literal_of(value)
    if isinstance(value, Mapping):
        cells = [value[key] for key in sorted(value, key=str)]
        last = max((index for index, choice in enumerate(cells, start=1) if choice is not None), default=0)
        value = ["" if choice is None else choice for choice in cells[:last]]
    if not isinstance(value, list | tuple):
        raise Reject('choices cannot be read: write a JSON list, such as ["a", "b"]')
    return tuple(str(choice) for choice in value)


def images_of(value: Any, folder: Path | None, *roots: Path) -> tuple[Image, ...]:
    """The cell as images, none if it is empty. Loading checks that a file exists and that the content is an image.

    Args:
        value: a path, encoded bytes, a data URL, base64, the hub's ``{"bytes": ..., "path": ...}``, a list of these, or
            the text of a list of texts, as in VLMEvalKit's tables.
        folder: which paths are relative to; None if the images are in the rows.
        roots: folders that paths must stay in, links followed; by default `folder`.

    Raises:
        Reject: it is none of these, or the image is remote or outside the roots.
    """
    if value is None or value == "":
        return ()
    if isinstance(value, str) and value.startswith(("['", '["')):
        value = _listed(value)
    items = value if isinstance(value, list | tuple) else (value,)
    return tuple(_image(item, folder, roots) for item in items if item is not None)


def _listed(text: str) -> Any:
    """The items of a written list of texts; `literal_of` is for short ones, and these contain whole images."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if _WRITTEN_LIST.fullmatch(text):
            return [first or second for first, second in _QUOTED.findall(text)]
    raise Reject("the list of images cannot be read")


def _image(value: Any, folder: Path | None, roots: Sequence[Path]) -> Image:
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if value is None or value in ("", b""):
        raise Reject("an image is empty")
    if isinstance(value, bytes):
        return Image.data(value)
    if not isinstance(value, str):
        raise Reject(f"an image is {type(value).__name__}")
    head, comma, _ = value[:100].partition(",")
    is_url = bool(comma) and head.startswith("data:")
    if not is_url and "://" in value[:12]:
        raise Reject("remote image; download it first")
    content = _decoded(value[len(head) + 1 :] if is_url else value)
    # A short text may be a path that is base64 by chance, such as "figures/12", so it must begin as an image does.
    if content and (is_url or len(value) > _MAX_PATH or content.startswith(_MAGIC)):
        return Image.data(content)
    if is_url or len(value) > _MAX_PATH or "\0" in value:
        raise Reject("an image is neither a path nor base64")
    if folder is None:
        raise Reject("an image is a path, but the data has no folder")
    return Image.file(inside(folder / value, *(roots or (folder,))))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
