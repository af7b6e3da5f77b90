"""The description of a component and its options."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace

from openvlt.registry.entries import Entry, Finder
from openvlt.registry.options import OptionInfo, as_json, options_of
from openvlt.registry.targets import component_class, is_data, read_data


@dataclass(frozen=True, slots=True)
class Description:
    """A component, imported but not built.

    Attributes:
        entry: what was registered.
        version: the class's version.
        text: the class's docstring; for data, which component it configures.
        options: its options; for data, with the values of the data as defaults.
    """

    entry: Entry
    version: str
    text: str
    options: tuple[OptionInfo, ...]

    def as_json(self) -> dict[str, object]:
        """The description as ``openvlt describe --json`` shows it."""
        own = {"plugin": self.entry.plugin, "version": self.version, "text": self.text}
        return {**self.entry.as_json(), **own, "options": [option.as_json() for option in self.options]}


def describe(finder: Finder, entry: Entry) -> Description:
    """See `Registry.describe`."""
    if is_data(entry.target):
        data = read_data(entry.target)
        base = describe(finder, finder.find(entry.kind, data["use"]))
        options = tuple(
            replace(option, required=False, default=as_json(data[option.name])) if option.name in data else option
            for option in base.options
        )
        return Description(entry, base.version, f"Configures the {entry.kind} '{data['use']}'.", options)
    component = component_class(entry)
    return Description(entry, component.version, _own_docstring(component), options_of(component))


def _own_docstring(component: type) -> str:
    """The docstring; empty if it is the signature that `dataclass` generates."""
    text = inspect.cleandoc(component.__doc__ or "")
    return "" if text.startswith(f"{component.__name__}(") else text
