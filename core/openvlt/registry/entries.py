"""What the registry knows of a plugin and of the components it registered, before any of them is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    # listing plugins must not import the interfaces: they cost a fifth of its time
    from openvlt.interfaces import Component, Kind

C_co = TypeVar("C_co", bound="Component", covariant=True)
Spec: TypeAlias = str | Mapping[str, Any]
"""What a recipe writes for a component: its name, or ``{"use": name, option: value}``."""
Origin: TypeAlias = Literal["builtin", "dist", "file"]
PluginStatus: TypeAlias = Literal["ok", "disabled", "broken", "incompatible"]
EntryStatus: TypeAlias = Literal["ok", "shadowed", "missing-extra"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A component a plugin registered.

    Attributes:
        kind: what it is.
        name: the bare name it was registered under.
        id: ``distribution/name``, or ``file:stem/name`` for a one-file plugin; always names exactly this component.
        summary: one line of what it is.
        target: ``package.module:Class``, ``package:file.yaml`` or ``path/to/file.py:Class``.
        requires: top-level packages it needs.
        status: ``shadowed`` if its bare name is another's or shared, ``missing-extra`` if a package it needs is
            absent.
        reason: why the status is not ok, and what to do.
        plugin: name of the plugin that registered it.
        editable: True if its code can change without its version changing (one-file and editable installs).
    """

    kind: Kind
    name: str
    id: str
    summary: str
    target: str
    requires: tuple[str, ...] = ()
    status: EntryStatus = "ok"
    reason: str = ""
    plugin: str = ""
    editable: bool = False

    def as_json(self) -> dict[str, object]:
        """The component as ``openvlt list-plugins --json`` shows it."""
        keys = ("kind", "name", "id", "summary", "target", "requires", "status", "reason")
        return {key: getattr(self, key) for key in keys}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin that was found, loaded or not.

    Attributes:
        name: name of its entry point, or the stem of its file.
        origin: ``builtin``, ``dist`` (an installed distribution) or ``file`` (``--plugin FILE.py``).
        distribution: distribution that brings it, or ``file:stem``.
        version: version of the distribution, empty for a file.
        api: plugin API it was written for, None if its module was not imported.
        status: ``ok``, or why it is not in use.
        reason: why the status is not ok.
        load_ms: milliseconds its import and registration took.
        components: what it registered; empty unless the status is ok.
        traceback: of the exception that broke it.
        file: the file of a one-file plugin.
    """

    name: str
    origin: Origin
    distribution: str
    version: str = ""
    api: int | None = None
    status: PluginStatus = "ok"
    reason: str = ""
    load_ms: float = 0.0
    components: tuple[Entry, ...] = ()
    traceback: str = ""
    file: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """The plugin as ``openvlt list-plugins --json`` shows it."""
        keys = ("name", "origin", "distribution", "version", "api", "status", "reason")
        return {
            **{key: getattr(self, key) for key in keys},
            "load_ms": round(self.load_ms, 2),
            "components": [entry.as_json() for entry in self.components],
        }


class Finder(Protocol):
    """Finds what was registered; all that building and describing a component ask of the registry."""

    def find(self, kind: Kind, name: str) -> Entry:
        """Find a component by its bare name or its id; see `Registry.find`."""
        ...


@dataclass(frozen=True, slots=True)
class Built(Generic[C_co]):
    """A component, ready for use.

    Attributes:
        component: the instance.
        entry: what was registered.
        options: all its options, resolved, as JSON.
        identity: hex sha256 of all that can change its output: id, class version, options that affect it,
            and the code itself where that can change without the version changing.
    """

    component: C_co
    entry: Entry
    options: dict[str, Any]
    identity: str

    @property
    def spec(self) -> dict[str, Any]:
        """What builds the same component again, in this process or another."""
        return {"use": self.entry.id, **self.options}
