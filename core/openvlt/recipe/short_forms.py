"""Writes out the short forms of a recipe, such as a name for a component."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from openvlt.records import Model

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


def _spec(value: Any) -> Any:
    component = written_out("trainer", value)
    if not isinstance(component, dict) or not isinstance(component.get("use"), str):
        raise ValueError("a component is a name, or a mapping with the key 'use'")
    return component


def _model(value: Any) -> Any:
    model = written_out("model", value)
    if isinstance(model, dict) and "url" in model:
        return model | {"url": written_out("url", model["url"])}
    return model


def _list(value: Any) -> Any:
    return written_out("select", value)


Spec = Annotated[dict[str, Any], BeforeValidator(_spec)]
"""A component: its name, or ``{use: name, option: value}``."""
ModelSpec = Annotated[Model, BeforeValidator(_model)]
"""A model: its id, or the keys of a model."""
Specs = Annotated[list[Spec], BeforeValidator(_list)]
"""Components; one alone may be written without the list."""
