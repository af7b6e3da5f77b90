"""Where plugins come from: installed entry points, files named by the user, and the switches over both."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from openvlt.errors import UsageError
from openvlt.registry.entries import Origin
from openvlt.registry.targets import load_file

GROUP = "openvlt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A plugin that was found and not yet imported.

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


def installed() -> Iterator[Candidate]:
    """Yield the plugins of installed distributions, built-ins first, then by distribution and name."""
    # imported here: it is the costliest part of the start, and commands without plugins do without it
    from importlib.metadata import Distribution, EntryPoint, entry_points

    known: dict[Distribution, tuple[str, str, bool]] = {}

    def describe(point: EntryPoint) -> tuple[str, str, bool]:
        dist = point.dist
        if dist is None:
            return "unknown", "", False
        if dist not in known:
            metadata = dist.metadata
            known[dist] = metadata["Name"] or "unknown", metadata["Version"] or "", _is_editable(dist)
        return known[dist]

    def candidate(point: EntryPoint) -> Candidate:
        distribution, version, editable = describe(point)
        builtin = distribution == "openvlt"
        return Candidate(
            name=point.name,
            origin="builtin" if builtin else "dist",
            distribution=distribution,
            version=version,
            load=lambda: import_module(point.module),
            editable=editable and not builtin,
        )

    found = [candidate(point) for point in entry_points(group=GROUP)]
    yield from sorted(found, key=lambda plugin: (plugin.origin != "builtin", plugin.distribution, plugin.name))


def _is_editable(dist: object) -> bool:
    """True if PEP 610's ``direct_url.json`` says that the distribution is installed in editable mode."""
    text = dist.read_text("direct_url.json")  # type: ignore[attr-defined]
    return bool(text and json.loads(text).get("dir_info", {}).get("editable", False))


def named(files: Sequence[Path]) -> Iterator[Candidate]:
    """Yield the one-file plugins the user named, each file once.

    Raises:
        UsageError: a file does not exist or is not Python.
    """
    for file in dict.fromkeys(Path(file).expanduser().resolve() for file in files):
        if file.suffix != ".py" or not file.is_file():
            problem = "is not a Python file" if file.exists() else "does not exist"
            raise UsageError(f"Plugin file '{file}' {problem}.", "Name a file that ends in .py.")
        yield Candidate(
            name=file.stem,
            origin="file",
            distribution=f"file:{file.stem}",
            version="",
            load=lambda file=file: load_file(file),  # type: ignore[misc]
            editable=True,
            file=file,
        )


def why_disabled(plugin: Candidate) -> str:
    """Say which switch turns the plugin off; empty if none does.

    ``OPENVLT_PLUGINS`` lists the installed plugins that are allowed (empty: none); a file the user named is allowed.
    ``OPENVLT_DISABLE_PLUGINS`` lists plugins that are not. Both take names of plugins and of distributions, separated
    by commas.
    """
    names = {plugin.name, plugin.distribution, f"{plugin.distribution}/{plugin.name}"}
    if names & set(_listed("OPENVLT_DISABLE_PLUGINS")):
        return "named in OPENVLT_DISABLE_PLUGINS"
    if plugin.origin != "file" and "OPENVLT_PLUGINS" in os.environ and not names & set(_listed("OPENVLT_PLUGINS")):
        return "not listed in OPENVLT_PLUGINS"
    return ""


def _listed(variable: str) -> list[str]:
    return [name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()]
