"""Derives a component's options from its fields: names, types, defaults, units, texts."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt

from openvlt.errors import PluginError
from openvlt.interfaces import Component, Option
from openvlt.registry.targets import target_of


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionInfo:
    """One option of a component.

    Attributes:
        name: the field's name, as a recipe writes it.
        type: its type, as text.
        hint: its type annotation.
        required: True if it has no default.
        default: the default value as JSON, None if it is required.
        text: what it does.
        unit: unit of its value.
        bounds: of a number, in words such as ``above 0 and at most 1``; empty if it has none.
        affects_output: False if it cannot change the output.
    """

    name: str
    type: str
    hint: object
    required: bool
    default: object = None
    text: str = ""
    unit: str = ""
    bounds: str = ""
    affects_output: bool = True

    def as_json(self) -> dict[str, object]:
        """The option as ``openvlt describe --json`` shows it."""
        keys = ("name", "type", "required", "default", "text", "unit", "bounds", "affects_output")
        return {key: getattr(self, key) for key in keys}


def options_of(component: type[Component]) -> tuple[OptionInfo, ...]:
    """The options of a component class, in the order of its fields.

    Raises:
        PluginError: it is not a dataclass, or the types of its fields cannot be read.
    """
    if not is_dataclass(component) or "__dataclass_fields__" not in vars(component):
        raise PluginError(
            f"Component class '{target_of(component)}' is not a dataclass.", "Decorate it with @dataclass(frozen=True)."
        )
    try:
        hints = get_type_hints(component, include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        raise PluginError(
            f"The option types of '{target_of(component)}' cannot be read: {error}.",
            "Import the types of its fields at run time, not under TYPE_CHECKING.",
        ) from error
    return tuple(_option(field, hints[field.name]) for field in fields(component) if field.init)


def default_of(field: Field[Any]) -> Any:
    """A field's default value, `MISSING` if it is required."""
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _option(field: Field[Any], hint: object) -> OptionInfo:
    described = _described(hint) or Option("")
    default = default_of(field)
    return OptionInfo(
        name=field.name,
        type=type_text(hint),
        hint=hint,
        required=default is MISSING,
        default=None if default is MISSING else as_json(default),
        text=described.text,
        unit=described.unit,
        bounds=" and ".join(_bounds(hint)),
        affects_output=described.affects_output,
    )


def _described(hint: object) -> Option | None:
    """The `Option` of a type, nested ones such as ``Annotated[int, Option("...")] | None`` included."""
    for part in get_args(hint):
        found = part if isinstance(part, Option) else _described(part)
        if found:
            return found
    return None


def _bounds(hint: object) -> list[str]:
    """The bounds of a type in words, nested ones such as ``Annotated[int, Ge(1)] | None`` included."""
    match hint:
        case Ge():
            return [f"at least {hint.ge}"]
        case Gt():
            return [f"above {hint.gt}"]
        case Le():
            return [f"at most {hint.le}"]
        case Lt():
            return [f"below {hint.lt}"]
        case GroupedMetadata():  # such as Interval(ge=0, le=1)
            return [words for part in hint for words in _bounds(part)]
    return [words for part in get_args(hint) for words in _bounds(part)]


def type_text(hint: object) -> str:
    """A type as text: ``int``, ``str | None``, ``'a' | 'b'``, ``tuple[int, ...]``."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return type_text(args[0])
    if origin is Literal:
        return " | ".join(map(repr, args))
    if origin in (Union, types.UnionType):
        return " | ".join(map(type_text, args))
    if hint is None or hint is type(None):
        return "None"
    if hint is Ellipsis:
        return "..."
    name: str = getattr(origin or hint, "__name__", None) or str(hint)
    return f"{name}[{', '.join(map(type_text, args))}]" if args else name


def as_json(value: object, component: Callable[[Component], object] | None = None) -> Any:
    """Convert an option's value to JSON.

    Args:
        value: scalars, sequences, mappings, paths, records, components.
        component: converts a nested component; by default to its class and options.
    """
    if isinstance(value, Component) and component is not None:
        return component(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        use = {"use": target_of(type(value))} if isinstance(value, Component) else {}
        return use | {field.name: as_json(getattr(value, field.name), component) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(item, component) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted((as_json(item, component) for item in value), key=str)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [as_json(item, component) for item in value]
    return value.as_posix() if isinstance(value, PurePath) else str(value)
