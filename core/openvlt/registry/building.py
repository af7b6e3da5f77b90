"""Builds components from their specs: checks every option, fills in the format, builds nested components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, cast

from openvlt.errors import PASSING, OpenvltError, PluginError, UsageError, closest
from openvlt.interfaces import Component, Kind, kind_of
from openvlt.records import Format, Model
from openvlt.registry.entries import Built, Entry, Finder, Spec, Where
from openvlt.registry.guard import REGISTERED, blamed
from openvlt.registry.identity import digest_of, identity
from openvlt.registry.options import OptionInfo, as_json, default_of, options_of
from openvlt.registry.targets import component_class, is_data, missing, read_data


def build(
    finder: Finder, kind: Kind | type[Component], spec: Spec, *, format: Format | None, where: Where
) -> Built[Any]:
    """See `Registry.build`."""
    try:
        if isinstance(kind, str):
            return _build(finder, kind, spec, format)
        built = _build(finder, cast(Kind, kind_of(kind)), spec, format)
        if not isinstance(built.component, kind):
            raise UsageError(
                f"The {built.entry.kind} '{built.entry.name}' is no {kind.__name__}, which is needed here.",
                "Put filters of traces into select, filters of examples into the filters of a data block.",
            )
        return built
    except OpenvltError as error:
        if not where:
            raise
        raise error.at(where if isinstance(where, str) else where(error.option)) from error


def _build(finder: Finder, kind: Kind, spec: Spec, format: Format | None) -> Built[Component]:
    name, options = _split(kind, spec)
    entry = finder.find(kind, name)
    if lacks := missing(entry):
        raise PluginError(f"The {kind} '{name}' needs packages that are not installed: {lacks[0]}.", f"Run: {lacks[1]}")
    if is_data(entry.target):
        data = read_data(entry.target)
        if is_data(finder.find(kind, data["use"]).target):
            raise PluginError(
                f"'{entry.target}' uses '{data['use']}', which is data too.",
                "Let 'use' name a class.",
            )
        base = _build(finder, kind, {**data, **options}, format)
        return Built(base.component, entry, base.options, digest_of([entry.id, base.identity]))
    return _instantiate(finder, entry, options, format)


def _split(kind: Kind, spec: object) -> tuple[str, dict[str, object]]:
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Mapping) and isinstance(spec.get("use"), str):
        return spec["use"], {str(key): value for key, value in spec.items() if key != "use"}
    raise UsageError(
        f"A {kind} is given by its name or by '{{use: name, option: value}}', not by {spec!r}.",
        f"'openvlt list-plugins --kind {kind}' lists the names.",
    )


def _instantiate(finder: Finder, entry: Entry, given: Mapping[str, object], format: Format | None) -> Built[Component]:
    from openvlt.registry.validation import validated

    component = component_class(entry)
    finder.use(entry)
    known = options_of(component)
    for name in given:
        if name in component.removed:
            raise UsageError(
                f"The {entry.kind} '{entry.name}' has no option '{name}' any more.", component.removed[name], name
            )
        if name not in [option.name for option in known]:
            valid = closest(name, [*(option.name for option in known), *component.spec_keys])
            raise UsageError(f"The {entry.kind} '{entry.name}' has no option '{name}'.", valid, name)
    nested: dict[int, Built[Component]] = {}

    def build_nested(option: str, kind: Kind, spec: Spec) -> Component:
        try:
            built = _build(finder, kind, spec, format)
        except OpenvltError as error:
            below = f"{option}.{error.option}" if error.option else option
            raise type(error)(error.problem, error.remedy, below) from error
        nested[id(built.component)] = built
        return built.component

    def spec_of(each: Component) -> object:
        return nested[id(each)].spec if id(each) in nested else as_json(each)

    def identity_of(each: Component) -> object:
        return nested[id(each)].identity if id(each) in nested else [as_json(each), each.version]

    REGISTERED[component] = entry
    values = validated(entry, component, {**_filled(known, format), **given}, build_nested)
    try:
        instance = component(**values)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The {entry.kind} '{entry.name}' cannot be built: {error}.",
            f"'openvlt describe {entry.kind} {entry.name}' lists its options.",
        ) from error
    except (OpenvltError, *PASSING):
        raise
    except BaseException as error:  # the boundary to a component
        raise blamed(error) or error from error
    resolved = {field.name: getattr(instance, field.name) for field in fields(instance) if field.init}  # type: ignore[arg-type]
    options = {name: as_json(value, spec_of) for name, value in resolved.items()}
    # A field that was added keeps the identity while it has its default, so that what is stored is found.
    added = {each.name: default_of(each) for each in fields(instance) if "added" in each.metadata}  # type: ignore[arg-type]
    affecting = [
        option.name
        for option in known
        if option.affects_output and (option.name not in added or resolved[option.name] != added[option.name])
    ]
    identifying = {name: as_json(_without_backend_options(finder, resolved[name]), identity_of) for name in affecting}
    made = identity(entry.id, component, identifying, editable=entry.editable, modules=instance.code_modules())
    return Built(instance, entry, options, made)


def _without_backend_options(finder: Finder, value: object) -> object:
    """A model without its address and its backend's options: they are no part of the component's identity, and those
    that change replies are part of the model's."""
    if not isinstance(value, Model):
        return value
    chosen = value.backend if value.backend and not isinstance(value.backend, tuple) else None
    return replace(value, url=(), backend=_bare(finder, _split("backend", chosen)[0]) if chosen else None)


def _bare(finder: Finder, name: str) -> str:
    """The name of a backend, which its id means too, unless another has that name."""
    try:
        entry = finder.find("backend", name)
        return entry.name if finder.find("backend", entry.name) is entry else name
    except PluginError:  # told where the model is opened
        return name


def _filled(known: tuple[OptionInfo, ...], format: Format | None) -> dict[str, Format]:
    """The options filled by the recipe's format."""
    return {} if format is None else {option.name: format for option in known if "Format" in option.type.split(" | ")}
