"""Finds plugins in installed distributions and in files named by the user, and applies the switches."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from openvlt.errors import UsageError, closest
from openvlt.registry.distributions import distributions
from openvlt.registry.entries import Origin
from openvlt.registry.targets import load_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A plugin that was found but not imported.

    Attributes:
        load: imports its module; may raise anything.
        editable: True if its code can change without its version changing.
    """

    name: str
    origin: Origin
    distribution: str
    version: str
    load: Callable[[], ModuleType]
    editable: bool
    file: Path | None = None


def installed(without: Collection[str] = ()) -> list[Candidate]:
    """The plugins of installed distributions but some modules, built-ins first, then by distribution and name."""
    found = [
        Candidate(
            name=name,
            origin="builtin" if distribution.name == "openvlt" else "dist",
            distribution=distribution.name,
            version=distribution.version,
            load=lambda module=module: import_module(module),  # type: ignore[misc]
            editable=distribution.editable and distribution.name != "openvlt",
        )
        for distribution in distributions()
        for name, module in distribution.plugins.items()
        if module not in without
    ]
    return sorted(found, key=lambda plugin: (plugin.origin != "builtin", plugin.distribution, plugin.name))


def named(files: Sequence[Path]) -> Iterator[Candidate]:
    """Yield the one-file plugins named by the user, each once.

    Raises:
        UsageError: a file does not exist or is not Python.
    """
    for file in dict.fromkeys(Path(file).expanduser().resolve() for file in files):
        if file.suffix != ".py" or not file.is_file():
            problem = "is not a Python file" if file.exists() else "does not exist"
            raise UsageError(f"Plugin file '{file}' {problem}.", "Name an existing .py file.")
        yield Candidate(
            name=file.stem,
            origin="file",
            distribution=f"file:{file.stem}",
            version="",
            load=lambda file=file: load_file(file),  # type: ignore[misc]
            editable=True,
            file=file,
        )


def loaded(modules: Sequence[ModuleType]) -> list[Candidate]:
    """The plugins that are modules of this process, for tests of a package that need not be installed."""
    return [
        Candidate(
            name=module.__name__,
            origin="file",
            distribution=f"file:{module.__name__}",
            version="",
            load=lambda module=module: module,  # type: ignore[misc]
            editable=True,
        )
        for module in modules
    ]


def why_disabled(plugin: Candidate) -> str:
    """The switch that turns the plugin off; empty if none does.

    ``OPENVLT_PLUGINS`` lists the installed plugins that are allowed (empty: none); files named by the user always are.
    ``OPENVLT_DISABLE_PLUGINS`` lists plugins that are not. Both are comma-separated names of plugins and distributions.
    """
    names = _names(plugin)
    if names & set(_listed("OPENVLT_DISABLE_PLUGINS")):
        return "named in OPENVLT_DISABLE_PLUGINS"
    if plugin.origin != "file" and "OPENVLT_PLUGINS" in os.environ and not names & set(_listed("OPENVLT_PLUGINS")):
        return "not listed in OPENVLT_PLUGINS"
    return ""


def unknown_names(plugins: Sequence[Candidate]) -> list[str]:
    """A sentence for each name in the switches that matches no plugin, so that a misspelt one is not ignored."""
    known = set[str]().union(*map(_names, plugins))
    return [
        f"{variable} names '{name}', which is no plugin of this environment. {closest(name, sorted(known))}"
        for variable in ("OPENVLT_PLUGINS", "OPENVLT_DISABLE_PLUGINS")
        for name in _listed(variable)
        if name not in known
    ]


def _names(plugin: Candidate) -> set[str]:
    return {plugin.name, plugin.distribution, f"{plugin.distribution}/{plugin.name}"}


def _listed(variable: str) -> list[str]:
    return [name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()]
