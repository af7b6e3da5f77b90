"""Checks option values against the types of a component's fields with pydantic."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BeforeValidator, ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict

from openvlt.errors import PluginError, UsageError, closest
from openvlt.interfaces import Component, Kind, Option, kind_of
from openvlt.records import Model
from openvlt.registry.entries import Entry, Spec
from openvlt.registry.options import default_of, options_of

BuildNested: TypeAlias = Callable[[Kind, Spec], Component]


def validated(
    entry: Entry, component: type[Component], given: Mapping[str, object], build_nested: BuildNested
) -> dict[str, Any]:
    """Check and convert options; defaults are checked like given values.

    Args:
        entry: the component, for messages.
        component: its class.
        given: option values by name.
        build_nested: builds a nested component from its spec.

    Raises:
        UsageError: an option is missing or has the wrong type; the message gives the expected one.
        PluginError: a field has a type that pydantic cannot check.
    """
    hints = {option.name: _hint(option.hint, build_nested) for option in options_of(component)}
    shape = TypedDict("shape", hints)  # type: ignore[misc]
    shape.__pydantic_config__ = ConfigDict(arbitrary_types_allowed=True, extra="forbid")  # type: ignore[attr-defined]
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
        raise _usage_error(entry, error.errors(), hints) from error


def _hint(hint: object, build_nested: BuildNested) -> Any:
    """The type, extended by what a recipe may write instead: a spec for a component, an id for a model."""
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
        return origin[tuple(arg if arg is Ellipsis else _hint(arg, build_nested) for arg in args)]
    if hint is Model:
        return Annotated[Model, BeforeValidator(lambda value: Model(id=value) if isinstance(value, str) else value)]
    kind = kind_of(hint) if isinstance(hint, type) else None
    if kind is None:
        return hint
    return Annotated[
        hint, BeforeValidator(lambda spec: build_nested(kind, spec) if isinstance(spec, str | Mapping) else spec)
    ]


def _usage_error(entry: Entry, errors: list[ErrorDetails], hints: Mapping[str, object]) -> UsageError:
    """The error for the first option that is wrong."""
    who = f"the {entry.kind} '{entry.name}'"
    remedy = f"'openvlt describe {entry.kind} {entry.name}' lists its options."
    first = errors[0]
    option = str(first["loc"][0])
    if first["type"] == "missing" and len(first["loc"]) == 1:
        return UsageError(f"Option '{option}' of {who} is not given and has no default.", remedy)
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        key = str(first["loc"][-1])
        return UsageError(f"Option '{option}' of {who} has no field '{key}'.", closest(key, _keys(hints[option])))
    same = [error for error in errors if error["loc"][0] == option]
    expected = " or ".join(
        dict.fromkeys(error["msg"].replace("Input should", "it should").rstrip(".") for error in same)
    )
    return UsageError(f"Option '{option}' of {who} is {first['input']!r}, but {expected}.", remedy)


def _keys(hint: object) -> list[str]:
    """The field names of the records in a type."""
    if isinstance(hint, type) and is_dataclass(hint):
        return [field.name for field in fields(hint)]
    return [key for arg in get_args(hint) for key in _keys(arg)]
