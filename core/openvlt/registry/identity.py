"""The identity of a component, under which its output is cached."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from openvlt.interfaces import Component


def identity(
    id: str,
    component: type[Component],
    options: Mapping[str, object],
    *,
    editable: bool,
    modules: Sequence[str] = (),
) -> str:
    """Identify a component.

    Args:
        id: ``distribution/name``.
        component: its class, whose `version` is part of the identity.
        options: the options that affect the output, as JSON; nested components as their identities.
        editable: True if the code can change without the version changing; it is then part of the identity.
        modules: others whose code is part of it too; see `Component.code_modules`.

    Returns:
        Hex sha256.
    """
    facts: dict[str, object] = {"id": id, "version": component.version, "options": options}
    if editable:
        facts["code"] = code_digest(component)
    if modules:
        facts["modules"] = {name: _digest(_sources([name])) for name in modules}
    return digest_of(facts)


def digest_of(facts: object) -> str:
    """Hex sha256 of the canonical JSON of `facts`."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def code_digest(component: type[Component]) -> str:
    """Hex sha256 of the code a component is made of: its own module, and what that imports from its top-level package.

    Imports are read from the source, those within functions too; what a module finds by a name that it computes is not
    among them.
    """
    top = component.__module__.partition(".")[0]
    return _digest(_sources(base.__module__ for base in component.__mro__ if base.__module__.partition(".")[0] == top))


def _digest(sources: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, source in sorted(sources.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(source).digest())
    return digest.hexdigest()


def _sources(modules: Iterable[str]) -> dict[str, bytes]:
    """The sources of modules of one package and of what they import from it, by name; nothing is imported."""
    wanted = list(modules)
    top = wanted[0].partition(".")[0]
    loaded, spec = sys.modules.get(top), None if top in sys.modules else find_spec(top)
    folders = [Path(folder) for folder in getattr(loaded, "__path__", spec and spec.submodule_search_locations) or ()]
    if not folders:
        return {"": Path(str(spec.origin if spec else getattr(loaded, "__file__", ""))).read_bytes()}
    found: dict[str, bytes] = {}
    while wanted:
        name = wanted.pop()
        file = None if name in found else _file(name, folders)
        if file is not None:
            found[name] = file.read_bytes()
            package = name if file.name == "__init__.py" else name.rpartition(".")[0]
            with suppress(SyntaxError):  # of a module that is imported within a function, if ever
                imported = _imports(ast.parse(found[name]), package)
                wanted += [each for each in (package, *imported) if each.partition(".")[0] == top]
    return found


def _file(module: str, folders: list[Path]) -> Path | None:
    """The file of a module of the package in these folders; None for a name that is no module."""
    inside = module.split(".")[1:]
    places = [folder.joinpath(*inside) for folder in folders]
    files = [each for place in places for each in (place / "__init__.py", place.with_suffix(".py"))]
    return next((file for file in files if file.is_file()), None)


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """The names that may be modules among those that are imported, absolute, with the packages they are in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            names = [origin, *(f"{origin}.{each.name}" for each in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))
