"""What the registry knows about a plugin and its components before any of them is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar

from openvlt.registry.guard import Guard

if TYPE_CHECKING:
    # Importing the interfaces would take a fifth of the time of ``list-plugins``.
    from openvlt.interfaces import Component, Kind

C_co = TypeVar("C_co", bound="Component", covariant=True)
Spec: TypeAlias = str | Mapping[str, Any]
"""A component in a recipe: its name, or ``{"use": name, option: value}``."""
Where: TypeAlias = str | Callable[[str], str]
"""The source position of a spec; or what gives that of each of its options, and of the spec itself for ``""``."""
Origin: TypeAlias = Literal["builtin", "dist", "file"]
PluginStatus: TypeAlias = Literal["ok", "disabled", "broken", "incompatible"]
EntryStatus: TypeAlias = Literal["ok", "shadowed", "missing-extra"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A registered component.

    Attributes:
        kind: its kind.
        name: the bare name it was registered under.
        id: ``distribution/name``, or ``file:stem/name`` for a one-file plugin; unique within its kind.
        summary: one line of description.
        target: ``package.module:Class``, ``package:file.yaml`` or ``path/to/file.py:Class``.
        requires: top-level packages it needs.
        status: ``shadowed`` if another component owns its bare name or shares it, ``missing-extra`` if a package it
            needs is not installed.
        reason: why the status is not ok, and what to do.
        plugin: name of the plugin that registered it.
        version: of its distribution, empty for a file.
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
    version: str = ""
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
        distribution: its distribution, or ``file:stem``.
        version: version of the distribution, empty for a file.
        api: plugin API it was written for; None if its module was not imported.
        status: ``ok``, or why it is not loaded.
        reason: why the status is not ok.
        load_ms: milliseconds its import and registration took.
        components: its components; empty unless the status is ok.
        traceback: traceback of the exception that broke it.
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

    @property
    def problem(self) -> str:
        """Why it is not loaded, to end a sentence: ``broken: KeyError: 'a'.``"""
        return f"{self.status}: {self.reason}" + "." * (not self.reason.endswith((".", "?")))

    def as_json(self) -> dict[str, Any]:
        """The plugin as ``openvlt list-plugins --json`` shows it."""
        keys = ("name", "origin", "distribution", "version", "api", "status", "reason")
        return {
            **{key: getattr(self, key) for key in keys},
            "load_ms": round(self.load_ms, 2),
            "components": [entry.as_json() for entry in self.components],
        }


class Finder(Protocol):
    """Finds components; the part of the registry that building and describing a component need."""

    def find(self, kind: Kind, name: str) -> Entry:
        """See `Registry.find`."""
        ...

    def use(self, entry: Entry) -> None:
        """See `Registry.use`."""
        ...


@dataclass(frozen=True, slots=True)
class Built(Generic[C_co]):
    """A component, ready for use.

    Attributes:
        component: the instance.
        entry: its registration.
        options: all its options, resolved, as JSON.
        identity: hex sha256 of everything that can change its output: id, class version, the options that affect it,
            and the code if that can change without the version changing.
    """

    component: C_co
    entry: Entry
    options: dict[str, Any]
    identity: str

    @property
    def spec(self) -> dict[str, Any]:
        """The spec that builds the same component again, in this process or another."""
        return {"use": self.entry.id, **self.options}

    def guarded(self, method: str, row: str = "", function: object = None) -> Guard:
        """The boundary to the component, around a call of a method: ``with built.guarded("parse", example.id)``.

        What it raises that is no error for users and no `Reject` becomes a `Fault` that names plugin, release,
        component, method, row and line; so does a `WrongResult` of the checks in `openvlt.results`.
        """
        return Guard(self, method, row, function)
