"""Access to the cells of a row by a definition's column expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from openvlt import tables

_NAMED = re.compile(r"\{([^{}]+)\}")
LETTERS = "A-Z"
"""Name for the columns A, B, C ... together, one per choice, as in VLMEvalKit's tables."""


def columns_of(column: str) -> list[str]:
    """The columns that an expression needs: each one in braces, as in ``{set_id}/{figure_id}``, or the whole one."""
    return _NAMED.findall(column) or [column]


def cell(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, None if there is none.

    Args:
        row: values by column.
        column: ``a|b`` (the first that exists), ``a.b`` (a key of a mapping, or of the text of one), ``A-Z`` (the cells
            of the columns A, B, C ... up to the first empty one) or a text with columns in braces.
    """
    if "{" in column:
        return _NAMED.sub(lambda name: tables.text_of(cell(row, name[1])), column)
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
    """True if the row has the column, even if it is empty."""
    names = (name.split(".")[0] for name in column.removesuffix("?").split("|"))
    return any(name in row or (name == LETTERS and "A" in row) for name in names)


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str) and value.startswith("{"):
        value = tables.literal_of(value)
    return value if isinstance(value, Mapping) else {}


def _lettered(row: Mapping[str, Any]) -> list[str]:
    cells = (tables.text_of(row.get(chr(65 + index))) for index in range(26))
    return list(takewhile(lambda text: not tables.is_empty(text), cells))


def listed(value: Any) -> Any:
    """The cell, parsed if it is the text of a list."""
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        found = tables.literal_of(value)
        return [str(item) for item in found] if isinstance(found, list) else value
    return value
