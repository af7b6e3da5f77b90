"""Writes out the short forms of a recipe, such as a name for a component."""

from __future__ import annotations

from typing import Any

_LISTS = ("select", "filters", "bench", "url")
_MODELS = ("base", "start", "model")


def written_out(key: str | int, value: Any) -> Any:
    """The long form of what a key holds: a list of its one item, ``{id: ...}`` of a model, ``{use: ...}`` of a name.

    The data of a phase may be the word ``traces``, which is no short form.
    """
    if key in _LISTS and isinstance(value, str | dict):
        return [value]
    if isinstance(value, str) and key != "data":
        return {"id" if key in _MODELS else "use": value}
    return value
