"""The registry: all plugins, their components, and the rule that decides who owns a bare name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar, overload

import pluggy

from openvlt import hookspecs
from openvlt.errors import PASSING, PluginError, closest
from openvlt.registry import discovery, registration
from openvlt.registry.entries import Built, Entry, Plugin, Spec, Where
from openvlt.registry.guard import place, told
from openvlt.registry.targets import missing

if TYPE_CHECKING:
    from openvlt.interfaces import Component, Kind
    from openvlt.records import Format
    from openvlt.registry.description import Description

C = TypeVar("C", bound="Component")


class Registry:
    """The plugins of this process and their components, which are not imported until they are built.

    Attributes:
        plugins: all plugins found, loaded or not: built-ins, installed ones, files.
        hooks: the event hooks of the loaded plugins.
        notes: what the user should know about the discovery, such as a switch that names no plugin.
    """

    def __init__(self, plugins: Sequence[Plugin], hooks: pluggy.PluginManager, notes: Sequence[str] = ()) -> None:
        self.plugins = _with_statuses(plugins)
        self.hooks = hooks
        self.notes = tuple(notes)
        self._entries = {(e.kind, e.id): e for plugin in self.plugins for e in plugin.components}
        self._used: set[str] = set()

    @classmethod
    def discover(cls, files: Sequence[Path] = (), modules: Sequence[ModuleType] = ()) -> Registry:
        """Find and load all plugins; a plugin that fails is listed with the reason.

        Args:
            files: one-file plugins the user named.
            modules: plugins that are imported already.

        Raises:
            UsageError: a file does not exist or is not Python.
        """
        manager = pluggy.PluginManager("openvlt")
        manager.add_hookspecs(hookspecs)
        plugins: list[Plugin] = []
        owners: dict[tuple[Kind, str], str] = {}
        given = [module.__name__ for module in modules]  # also where their packages are installed
        candidates = [*discovery.installed(given), *discovery.named(files), *discovery.loaded(modules)]
        for candidate in candidates:
            plugin = registration.load(candidate, manager, lambda kind, id: owners.get((kind, id)))
            owners.update({(entry.kind, entry.id): plugin.name for entry in plugin.components})
            plugins.append(plugin)
        return cls(plugins, manager, discovery.unknown_names(candidates))

    @property
    def files(self) -> tuple[Path, ...]:
        """The one-file plugins, for child processes that build components."""
        return tuple(plugin.file for plugin in self.plugins if plugin.file is not None)

    def entries(self, kind: Kind | None = None) -> list[Entry]:
        """All components, or those of one kind, in the order they were registered."""
        return [entry for entry in self._entries.values() if kind in (None, entry.kind)]

    def names(self, kind: Kind) -> list[str]:
        """The name of every component of a kind: its bare name if it owns that, else its id."""
        return sorted(entry.id if entry.status == "shadowed" else entry.name for entry in self.entries(kind))

    def find(self, kind: Kind, name: str) -> Entry:
        """Find a component by its bare name or its id.

        Raises:
            PluginError: there is none, or several plugins share the bare name.
        """
        if (kind, name) in self._entries:
            return self._entries[kind, name]
        found = [entry for entry in self.entries(kind) if entry.name == name]
        owner = _owner(found)
        if owner is not None:
            return owner
        if found:
            ids = " and ".join(f"'{entry.id}'" for entry in found)
            raise PluginError(f"The {kind} name '{name}' belongs to several plugins: {ids}.", "Use one of these ids.")
        hints = closest(name, [entry.id for entry in self.entries(kind)] if "/" in name else self.names(kind))
        off = [plugin.name for plugin in self.plugins if plugin.status != "ok"]
        if off:
            names = ", ".join(off[:5]) + (f" and {len(off) - 5} more" if len(off) > 5 else "")
            hints += f" Not loaded: {names}; 'openvlt list-plugins' shows why."
        raise PluginError(f"There is no {kind} '{name}'.", hints)

    def use(self, entry: Entry) -> None:
        """Note that a component is built."""
        self._used.add(entry.plugin)

    def releases(self) -> dict[str, str]:
        """The releases of openvlt and of the plugins whose components were built here, by distribution.

        A one-file plugin has none: it is named with the digest of its file.
        """
        from importlib.metadata import version  # a listing must not wait for it

        used = {
            plugin.distribution: plugin.version or f"sha256:{_digest(plugin.file)}"
            for plugin in self.plugins
            if plugin.name in self._used
        }
        return {"openvlt": version("openvlt"), **used}

    @overload
    def build(self, kind: type[C], spec: Spec, *, format: Format | None = None, where: Where = "") -> Built[C]: ...

    @overload
    def build(self, kind: Kind, spec: Spec, *, format: Format | None = None, where: Where = "") -> Built[Component]: ...

    def build(
        self, kind: Kind | type[C], spec: Spec, *, format: Format | None = None, where: Where = ""
    ) -> Built[Component] | Built[C]:
        """Build a component.

        Args:
            kind: a kind, or an interface such as `Teacher`, which also types the result.
            spec: its name, or ``{"use": name, option: value}``.
            format: fills an option of type `Format`.
            where: source position of the spec (``recipe.yaml:12: teacher``), for error messages; or a function that
                gives the position of an option, and that of the spec for an empty name.

        Raises:
            PluginError: there is no such component, or it cannot be imported.
            UsageError: an option does not exist, is missing, has the wrong type or is out of bounds, or the component
                is a filter of the other interface.
        """
        from openvlt.registry.building import build

        return build(self, kind, spec, format=format, where=where)

    def describe(self, kind: Kind, name: str) -> Description:
        """Describe a component and its options, which imports its class.

        Raises:
            PluginError: there is no such component, or it cannot be imported.
        """
        from openvlt.registry.description import describe

        return describe(self, self.find(kind, name))

    def notify(self, hook_name: str, **event: object) -> None:
        """Call an event hook of every loaded plugin; an exception is logged and never fails the run.

        Args:
            hook_name: ``on_stage_start``, ``on_stage_end`` or ``on_run_end``.
            event: the hook's arguments by name.
        """
        import logging

        log = logging.getLogger(__name__)
        plugins = self.hooks.get_plugins()
        for plugin in sorted(plugins, key=lambda plugin: self.hooks.get_name(plugin) or ""):
            call = self.hooks.subset_hook_caller(hook_name, [other for other in plugins if other is not plugin])
            try:
                call(**event)
            except PASSING:
                raise
            except BaseException as error:
                name, debug = self.hooks.get_name(plugin), log.isEnabledFor(logging.DEBUG)
                where = place(getattr(plugin, "__name__", ""), error)
                problem = f"{told(error)} ({where})"
                log.warning("plugin '%s' failed in %s, the run continues: %s", name, hook_name, problem, exc_info=debug)


def _digest(file: Path | None) -> str:
    return sha256(file.read_bytes()).hexdigest()[:12] if file and file.is_file() else "unknown"


def _owner(sharing: Sequence[Entry]) -> Entry | None:
    """The owner of a bare name among the components that share it: the built-in, or the only one."""
    builtin = [entry for entry in sharing if entry.id.startswith("openvlt/")]
    return builtin[0] if builtin else sharing[0] if len(sharing) == 1 else None


def _with_statuses(plugins: Sequence[Plugin]) -> tuple[Plugin, ...]:
    """Set the status of every component, which depends on all plugins."""
    sharing: dict[tuple[Kind, str], list[Entry]] = {}
    for plugin in plugins:
        for entry in plugin.components:
            sharing.setdefault((entry.kind, entry.name), []).append(entry)

    def with_status(entry: Entry) -> Entry:
        others = sharing[entry.kind, entry.name]
        owner = _owner(others)
        if owner is not entry:
            ids = ", ".join(other.id for other in ([owner] if owner else others) if other is not entry)
            return replace(entry, status="shadowed", reason=f"'{entry.name}' is also {ids}; use '{entry.id}'")
        if lacks := missing(entry):
            return replace(entry, status="missing-extra", reason=f"'{entry.name}' needs {lacks[0]}: {lacks[1]}")
        return entry

    return tuple(replace(plugin, components=tuple(map(with_status, plugin.components))) for plugin in plugins)
