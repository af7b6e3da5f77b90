"""Checks option values against the types of a component's fields with pydantic."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BeforeValidator, ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import TypedDict

from openvlt.errors import PluginError, UsageError, closest
from openvlt.interfaces import Component, Kind, Option, kind_of
from openvlt.records import Model
from openvlt.registry.entries import Entry, Spec
from openvlt.registry.options import OptionInfo, default_of, options_of

BuildNested: TypeAlias = Callable[[str, Kind, Spec], Component]


def validated(
    entry: Entry, component: type[Component], given: Mapping[str, object], build_nested: BuildNested
) -> dict[str, Any]:
    """Check and convert options; defaults are checked like given values.

    Args:
        entry: the component, for messages.
        component: its class.
        given: option values by name.
        build_nested: builds the component that an option holds from its spec.

    Raises:
        UsageError: an option is missing, has the wrong type or is out of bounds; the message says what it must be.
        PluginError: a field has a type that pydantic cannot check.
    """
    options = {option.name: option for option in options_of(component)}
    hints = {name: _hint(option.hint, partial(build_nested, name)) for name, option in options.items()}
    shape = TypedDict("shape", hints)  # type: ignore[misc]
    shape.__pydantic_config__ = ConfigDict(  # type: ignore[attr-defined]
        arbitrary_types_allowed=True, extra="forbid", allow_inf_nan=False
    )
    defaults = {field.name: default_of(field) for field in fields(component) if field.init}  # type: ignore[arg-type]
    values = {name: value for name, value in {**defaults, **given}.items() if value is not MISSING}
    try:
        return dict(TypeAdapter(shape).validate_python(values))
    except PydanticUserError as error:
        raise PluginError(
            f"The options of '{entry.target}' have a type that cannot be checked: {error.message}.",
            "Use plain types for its fields.",
        ) from error
    except ValidationError as error:
        raise _option_error(entry, error.errors(), options) from error


def _hint(hint: object, build_nested: Callable[[Kind, Spec], Component]) -> Any:
    """The type, extended by what a recipe may write: a spec for a component, an id for a model, a list's one item."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return hint
    if origin is Annotated:
        kept = tuple(part for part in args[1:] if not isinstance(part, Option))
        inner = _hint(args[0], build_nested)
        return Annotated[(inner, *kept)] if kept else inner
    if origin in (Union, types.UnionType):
        return Union[tuple(_hint(arg, build_nested) for arg in args)]  # noqa: UP007
    if origin is not None and args:
        inner = origin[tuple(arg if arg is Ellipsis else _hint(arg, build_nested) for arg in args)]
        is_list = origin is list or (origin is tuple and args[-1] is Ellipsis)
        return Annotated[inner, BeforeValidator(_list)] if is_list else inner
    if hint in (int, float):
        return Annotated[hint, BeforeValidator(_number)]
    if hint is Model:
        return Annotated[Model, BeforeValidator(_model)]
    kind = kind_of(hint) if isinstance(hint, type) else None
    if kind is None:
        return hint
    return Annotated[
        hint, BeforeValidator(lambda spec: build_nested(kind, spec) if isinstance(spec, str | Mapping) else spec)
    ]


def _list(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "Input should be a number")
    return value


def _model(value: object) -> object:
    if isinstance(value, Mapping) and "url" in value:
        return {**value, "url": _list(value["url"])}
    return Model(id=value) if isinstance(value, str) else value


_OUT_OF_BOUNDS = {
    "greater_than": "above", "greater_than_equal": "at least", "less_than": "below", "less_than_equal": "at most",
}  # fmt: skip
_WORDS = {"int": "a whole number", "float": "a number", "number": "a number", "bool": "true or false", "string": "text"}
"""What a type is called, by the start of pydantic's names for its errors."""


def _option_error(entry: Entry, errors: list[ErrorDetails], options: Mapping[str, OptionInfo]) -> UsageError:
    """The error for the first option that is wrong."""
    who = f"the {entry.kind} '{entry.name}'"
    remedy = f"'openvlt describe {entry.kind} {entry.name}' lists its options."
    first = errors[0]
    name = str(first["loc"][0])
    if first["type"] == "missing" and len(first["loc"]) == 1:
        return UsageError(f"Option '{name}' of {who} is not given and has no default.", remedy, name)
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        key = str(first["loc"][-1])
        valid = closest(key, _keys(options[name].hint))
        return UsageError(f"Option '{name}' of {who} has no field '{key}'.", valid, name)
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        remedy = closest(first["input"], _literals(options[name].hint))
    same = [expected(error, options[name].bounds) for error in errors if error["loc"][0] == name]
    wanted = " or ".join(dict.fromkeys(same))
    return UsageError(f"Option '{name}' of {who} is {first['input']!r}, but it must be {wanted}.", remedy, name)


def expected(error: ErrorDetails, bounds: str = "") -> str:
    """What a value must be, in words: ``a whole number, at least 1``.

    Args:
        error: of pydantic.
        bounds: of the value in words; by default the one that it violates.
    """
    if error["type"] in _OUT_OF_BOUNDS:
        (bound,) = error["ctx"].values()
        return bounds or f"{_OUT_OF_BOUNDS[error['type']]} {bound:g}"
    if error["type"] == "missing":
        return f"given with '{error['loc'][-1]}'"
    words = _WORDS.get(error["type"].partition("_")[0])
    if words is None:
        return error["msg"].removeprefix("Input should be ").removeprefix("Value error, ").rstrip(".")
    return f"{words}, {bounds}" if bounds and "number" in words else words


def _literals(hint: object) -> list[str]:
    """The texts that a type enumerates."""
    return [text for arg in get_args(hint) for text in ([arg] if isinstance(arg, str) else _literals(arg))]


def _keys(hint: object) -> list[str]:
    """The field names of the records in a type."""
    if isinstance(hint, type) and is_dataclass(hint):
        return [field.name for field in fields(hint)]
    return [key for arg in get_args(hint) for key in _keys(arg)]
