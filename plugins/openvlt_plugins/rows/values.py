"""What the cells of a row say: the answer, its type, media, metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from openvlt import AnswerType, Reject, tables

_IMAGE = re.compile(r"(?i)[^\n]{1,500}\.(?:png|jpe?g|webp|gif|bmp|tiff?)|data:image/[^\n]*")
_VIDEO = re.compile(r"(?i)[^\n]{1,500}\.(?:mp4|webm|avi|mov|mkv)|data:video/[^\n]*")
_TAGGED = re.compile(r"(?s)(?:<think>.*?</think>)?\s*<answer>(.*?)</answer>")
"""A gold in the form of a response, as VLM-R1 and R1-V write it."""
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


def answer(value: Any, options: Sequence[str], *, index: bool) -> str:
    """The gold answer as text.

    Args:
        value: text, a number, a truth value, an object, or a list of one or more.
        options: the choices.
        index: the value is the index of a choice, from 0.

    Raises:
        Reject: there is no answer, or no choice with that index.
    """
    if index:
        number = tables.whole_number_of(value, "the answer")
        if number is None or not 0 <= number < len(options):
            raise Reject("the answer is not the index of a choice")
        return chr(ord("A") + number)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return answer(value[0], options, index=False) if len(value) == 1 else json.dumps(list(value), default=str)
    if isinstance(value, dict):
        return json.dumps(value, default=str)
    text = tables.text_of(value).strip()
    if tagged := _TAGGED.fullmatch(text):
        text = tagged[1].strip()
    if not text:
        raise Reject("empty gold answer")
    return text


def answer_type(value: Any) -> AnswerType | None:
    """The answer type, from openvlt's name for it or that of a widely used dataset.

    Raises:
        Reject: the name is unknown.
    """
    if value is None or value == "":
        return None
    name = str(value).strip().lower()
    if name not in _TYPES:
        raise Reject(f"unknown answer type '{name}'")
    return _TYPES[name]


def media(value: Any) -> str:
    """What a cell has if it is an image or a video, or the path of one, or a list of these; empty if it is none."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(media, value)), "")
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return "an image" if value else ""
    if not isinstance(value, str):
        return ""
    return "an image" if _IMAGE.fullmatch(value) else "a video" if _VIDEO.fullmatch(value) else ""


def plain(value: Any) -> Any:
    """A cell as metadata: what JSON can say as it is, bytes as their number, all else (dates, decimals) as text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
