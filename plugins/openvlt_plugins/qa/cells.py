"""Access to the cells of a row by a definition's column expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from openvlt import tables

_NAMED = re.compile(r"\{([^{}]+)\}")
_OR = re.compile(r"\|(?![^{}]*\})")
LETTERS = "A-Z"
"""Name for the columns A, B, C ... together, one per choice, as in VLMEvalKit's tables."""


def columns_of(column: str) -> list[str]:
    """The columns that an expression needs: each one in braces, as in ``{set_id}/{figure_id}``, or the whole one."""
    return _NAMED.findall(column) or [column]


def cell(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, None if there is none.

    Args:
        row: values by column.
        column: ``a|b`` (the first that exists), ``a.b`` (a key of a mapping, or of the text of one), ``a.0`` (an item
            of a list), ``A-Z`` (the cells of the columns A, B, C ... up to the last that is not empty) or a text with
            columns in braces, which exists if one of them does.
    """
    for name in _OR.split(column.removesuffix("?")):
        named = {each: cell(row, each) for each in _NAMED.findall(name)}
        if named:
            if any(value is not None for value in named.values()):
                return _NAMED.sub(lambda found: tables.text_of(named[found[1]]), name)  # noqa: B023
        elif (value := _value(row, name)) is not None:
            return value
    return None


def has(row: Mapping[str, Any], column: str) -> bool:
    """True if the row has the column, even if it is empty."""
    return any(
        all(has(row, each) for each in named)
        if (named := _NAMED.findall(name))
        else name.split(".")[0] in row or (name == LETTERS and "A" in row)
        for name in _OR.split(column.removesuffix("?"))
    )


def _value(row: Mapping[str, Any], name: str) -> Any:
    if name == LETTERS:
        return _lettered(row) or None
    value: Any = row
    for step in name.split("."):
        if isinstance(value, list | tuple) and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = _mapping(value).get(step)
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str) and value.startswith("{"):
        value = tables.literal_of(value)
    return value if isinstance(value, Mapping) else {}


def _lettered(row: Mapping[str, Any]) -> list[str]:
    """The choices; an empty one in between keeps its letter. Only NaN is empty besides, for a choice may be "None"."""
    texts = [tables.text_of(row.get(chr(65 + index))).strip() for index in range(26)]
    cells = ["" if text.lower() == "nan" else text for text in texts]
    return cells[: max((index for index, text in enumerate(cells, start=1) if text), default=0)]


def split_choices(pattern: str, text: str) -> list[str]:
    """The choices that are written into a text, such as ``Choices: (A) yes (B) no``.

    Args:
        pattern: of one choice, with its letter as group 1 and its content as group 2.
        text: may contain more than the choices.

    Returns:
        The contents of the last matches whose letters are A, B, C ... in order, without what separates them; empty if
        there are not two of them, or if one is empty, as where the options are in the image.
    """
    found: list[str] = []
    for letter, content in re.findall(pattern, text):
        index = ord(letter) - ord("A")
        if index == 0:
            found = []
        found = [*found, content.strip().rstrip(",;").rstrip()] if index == len(found) else []
    return found if len(found) > 1 and all(found) else []


def listed(value: Any) -> Any:
    """The cell, parsed if it is the text of a list."""
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        found = tables.literal_of(value)
        return [str(item) for item in found] if isinstance(found, list) else value
    return value
