"""The identity of a component, under which its output is cached."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from openvlt.interfaces import Component


def identity(id: str, component: type[Component], options: Mapping[str, object], *, editable: bool) -> str:
    """Identify a component.

    Args:
        id: ``distribution/name``.
        component: its class, whose `version` is part of the identity.
        options: the options that affect the output, as JSON; nested components as their identities.
        editable: True if the code can change without the version changing; it is then part of the identity.

    Returns:
        Hex sha256.
    """
    facts: dict[str, object] = {"id": id, "version": component.version, "options": options}
    if editable:
        facts["code"] = code_digest(component)
    return digest_of(facts)


def digest_of(facts: object) -> str:
    """Hex sha256 of the canonical JSON of `facts`."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def code_digest(component: type[Component]) -> str:
    """Hex sha256 of all ``.py`` files of the component's top-level package, or of its one file."""
    digest = hashlib.sha256()
    for name, file in _files(component.__module__):
        digest.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _files(module: str) -> list[tuple[str, Path]]:
    top = sys.modules[module.partition(".")[0]]
    folders = [Path(folder) for folder in getattr(top, "__path__", ())]
    if not folders:
        return [("", Path(str(top.__file__)))]
    found = {file.relative_to(folder).as_posix(): file for folder in folders for file in folder.rglob("*.py")}
    return sorted(found.items())
