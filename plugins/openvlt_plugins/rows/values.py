"""What a row may hold for an image, a list of choices or an answer, and what becomes of it."""

from __future__ import annotations

import ast
import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from openvlt import AnswerType, Image, Reject

_TYPES: dict[str, AnswerType] = {
    **{name: name for name in get_args(AnswerType)},
    "yes/no": "yes_no",
    "bool": "yes_no",
    "boolean": "yes_no",
    "multi_choice": "choice",
    "multi-choice": "choice",
    "multiple_choice": "choice",
    "multiple-choice": "choice",
    "number": "float",
    "int": "integer",
    "string": "text",
    "other": "text",
}
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")


def images(value: Any, folder: Path) -> tuple[Image, ...]:
    """Images from a path relative to `folder`, bytes, a data URL, base64, ``{"bytes": ..., "path": ...}``, or a list.

    Raises:
        Reject: it is none of these, is remote, or the file does not exist.
    """
    if value is None or value == "":
        return ()
    if isinstance(value, list | tuple):
        return tuple(image for item in value for image in images(item, folder))
    if isinstance(value, bytes):
        return (Image.data(value),)
    if isinstance(value, Mapping) and (value.get("bytes") or value.get("path")):
        return images(value.get("bytes") or value.get("path"), folder)
    if isinstance(value, str):
        return (_named(value, folder),)
    raise Reject(f"an image is {type(value).__name__}")


def _named(value: str, folder: Path) -> Image:
    head, comma, rest = value[:100].partition(",")
    if head.startswith("data:") and comma:
        return _encoded(value[len(head) + 1 :] if head.endswith(";base64") else rest)
    if "://" in value[:12]:
        raise Reject("remote image; download it first")
    if len(value) < 1024 and (path := folder / value).is_file():
        return Image.file(path)
    if len(value) < 64:
        raise Reject("image file does not exist")
    return _encoded(value)


def _encoded(value: str) -> Image:
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content.startswith(_MAGIC):
        raise Reject("image file does not exist" if len(value) < 1024 else "image is no base64 of an image")
    return Image.data(content)


def choices(value: Any) -> tuple[str, ...]:
    """Choices from a list, a mapping from letters, or a list written as text.

    Raises:
        Reject: it is none of these.
    """
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = _written(value)
    if isinstance(value, Mapping):
        value = [value[key] for key in sorted(value) if value[key] is not None]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return tuple(str(choice) for choice in value)
    raise Reject("choices are no list")


def _written(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    raise Reject("choices are no list")


def answer(value: Any, options: Sequence[str], *, index: bool) -> str:
    """The gold answer as text.

    Args:
        value: text, a number, a truth value, or a list of one or more.
        options: the choices.
        index: the value is the number of a choice, from 0.

    Raises:
        Reject: there is no answer, or no choice of that number.
    """
    if index:
        if not isinstance(value, int) or not 0 <= value < len(options):
            raise Reject("the answer is no number of a choice")
        return chr(ord("A") + value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return answer(value[0], options, index=False) if len(value) == 1 else json.dumps(list(value))
    text = "" if value is None else str(value).strip()
    if not text:
        raise Reject("empty gold answer")
    return text


def answer_type(value: Any) -> AnswerType | None:
    """The answer type, by its name here or in widely used datasets.

    Raises:
        Reject: the name is unknown.
    """
    if value is None or value == "":
        return None
    name = str(value).strip().lower()
    if name not in _TYPES:
        raise Reject(f"unknown answer type '{name}'")
    return _TYPES[name]


def decimals(value: Any) -> int | None:
    """The precision; ``1.0`` is what Parquet makes of an integer column with gaps.

    Raises:
        Reject: it is no whole number.
    """
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.5
    if not number.is_integer():
        raise Reject("precision is no whole number")
    return int(number)
