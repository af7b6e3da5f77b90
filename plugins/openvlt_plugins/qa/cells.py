"""What a cell of a table holds."""

from __future__ import annotations

import ast
import base64
import binascii
import re
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from openvlt import Image

_NAMED = re.compile(r"\{([^{}]+)\}")
LETTERS = "A-Z"
"""Name of the columns A, B, C and so on together, one for each choice, as VLMEvalKit's tables have them."""

EMPTY = ("", "nan", "none", "null")
MAX_LITERAL = 100_000
MIN_BASE64 = 256


def columns_of(column: str) -> list[str]:
    """The alternatives a column is asked for by; of a text such as ``{set_id}/{figure_id}`` each column is needed."""
    return _NAMED.findall(column) or [column]


def cell(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, None if there is none.

    Args:
        row: values by column.
        column: ``a|b`` (the first that is there), ``a.b`` (inside a mapping, or the text of one), ``A-Z`` (the cells of
            the columns A, B, C ... up to the first empty one) or a text that names columns in braces.
    """
    if "{" in column:
        return _NAMED.sub(lambda name: text_of(cell(row, name[1])), column)
    for name in column.removesuffix("?").split("|"):
        value: Any = row
        for step in name.split("."):
            value = _mapping(value).get(step)
        if name == LETTERS:
            value = _lettered(row) or None
        if value is not None:
            return value
    return None


def has(row: Mapping[str, Any], column: str) -> bool:
    """True if the row has the column, whatever is in it."""
    names = (name.split(".")[0] for name in column.removesuffix("?").split("|"))
    return any(name in row or (name == LETTERS and "A" in row) for name in names)


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str) and value.startswith("{"):
        value = _literal(value)
    return value if isinstance(value, Mapping) else {}


def _lettered(row: Mapping[str, Any]) -> list[str]:
    cells = (text_of(row.get(chr(65 + place))) for place in range(26))
    return list(takewhile(lambda text: text.strip().lower() not in EMPTY, cells))


def _literal(text: str) -> Any:
    """What a text is as a Python value, without running it; None if it is none."""
    try:
        return ast.literal_eval(text) if len(text) <= MAX_LITERAL else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def text_of(value: Any) -> str:
    """The cell as text; whole floats lose their point, as spreadsheets turn 12 into 12.0."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def whole_number(value: Any) -> int | None:
    """The cell as a whole number, None if it is empty."""
    try:
        return int(float(value))
    except (TypeError, ValueError):
        return None


def choices_of(value: Any) -> tuple[str, ...] | None:
    """The cell as a list of texts; a string is read as a Python list, without running it. None if that fails."""
    if isinstance(value, str):
        if value.strip().lower() in EMPTY:
            return ()
        value = _literal(value)
    elif value is None:
        return ()
    return tuple(str(choice) for choice in value) if isinstance(value, list | tuple) else None


def listed(value: Any) -> Any:
    """The cell, with a list in it if it is the text of a Python list, as tables have it."""
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        found = choices_of(value)
        return value if found is None else list(found)
    return value


def image_of(value: Any, folder: Path) -> Image | None:
    """The cell as an image: encoded bytes, the hub's ``{bytes, path}``, a path from the file's folder, or base64."""
    if isinstance(value, Mapping):
        content = value.get("bytes")
        return Image.data(content) if content else image_of(value.get("path"), folder)
    if isinstance(value, bytes):
        return Image.data(value)
    if not isinstance(value, str) or not value:
        return None
    if len(value) >= MIN_BASE64:
        try:
            return Image.data(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            return None
    return Image.file(folder / value)
