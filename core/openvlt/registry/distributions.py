"""Reads the entry points of plugins from the metadata of the installed distributions.

`importlib.metadata` finds the same, which a test asserts, but importing it takes as long as all the rest of
``openvlt list-plugins``.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

GROUP = "openvlt"


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed distribution with plugins.

    Attributes:
        name: as its metadata spells it.
        version: its version.
        plugins: module by entry-point name, in the group ``openvlt``.
        editable: True if it is installed in editable mode (PEP 610).
    """

    name: str
    version: str
    plugins: dict[str, str]
    editable: bool


def distributions() -> Iterator[Distribution]:
    """Yield the distributions with plugins; of two with one name the first on `sys.path`, as Python does."""
    seen: set[str] = set()
    for folder in _metadata_folders():
        plugins = _entry_points(_read(folder, "entry_points.txt"))
        if not plugins:
            continue
        metadata = _read(folder, "METADATA") or _read(folder, "PKG-INFO")
        name = _header(metadata, "Name") or os.path.basename(folder).partition("-")[0]
        if normalized(name) not in seen:
            seen.add(normalized(name))
            yield Distribution(name, _header(metadata, "Version"), plugins, _is_editable(folder))


def extras(name: str) -> dict[str, set[str]]:
    """The normalized names of the packages of each extra of an installed distribution."""
    found: dict[str, set[str]] = {}
    for folder in _metadata_folders():
        if normalized(os.path.basename(folder).partition("-")[0]) == normalized(name):
            pattern = r"^Requires-Dist:\s*([\w.-]+).*;.*\bextra\s*==\s*['\"]([\w.-]+)['\"]"
            for package, extra in re.findall(pattern, _read(folder, "METADATA"), re.MULTILINE):
                found.setdefault(extra, set()).add(normalized(package))
            break
    return found


def normalized(name: str) -> str:
    """The normalized name of a distribution (PyPA name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _metadata_folders() -> Iterator[str]:
    for folder in dict.fromkeys(sys.path):
        try:
            names = sorted(os.listdir(folder or "."))
        except OSError:
            continue  # sys.path also lists archives and folders that do not exist
        yield from (os.path.join(folder, name) for name in names if name.endswith((".dist-info", ".egg-info")))


def _read(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""


def _entry_points(text: str) -> dict[str, str]:
    """The lines ``name = module`` of the group, without the extras in brackets that the format allows."""
    section = re.search(rf"^\[{GROUP}\]\s*$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    pairs = re.findall(r"^\s*([^#\s=][^=]*?)\s*=\s*([\w.:]+)", section[1], re.MULTILINE) if section else []
    return dict(pairs)


def _header(metadata: str, key: str) -> str:
    found = re.search(rf"^{key}:\s*(.*?)\s*$", metadata.partition("\n\n")[0], re.MULTILINE)
    return found[1] if found else ""


def _is_editable(folder: str) -> bool:
    origin = _read(folder, "direct_url.json")
    return bool(origin and json.loads(origin).get("dir_info", {}).get("editable", False))
