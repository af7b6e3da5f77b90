"""Relative paths in a recipe or a benchmark's file, which are relative to the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_PATHS = re.compile(r"path|data|\w+_(?:path|folder|file)")
"""Options of a component that hold a path, or a list of them, by their names."""
_MODELS = ("base", "start", "model", "id")
_PROGRAMS = ("python", "merger")


def anchored(value: Any, folder: Path, key: str = "", *, component: bool = False) -> Any:
    """The value with absolute paths.

    Args:
        value: of a YAML file.
        folder: of that file.
        key: where the value is.
        component: it is an option of a component.
    """
    if isinstance(value, dict):
        return {name: anchored(each, folder, str(name), component="use" in value) for name, each in value.items()}
    if isinstance(value, list):
        return [anchored(each, folder, key, component=component) for each in value]
    if not isinstance(value, str) or not value or "://" in value or value.startswith("~"):
        return value
    is_relative = value.startswith(("./", "../"))
    is_path = (component and _PATHS.fullmatch(key)) or (is_relative and key in (*_MODELS, *_PROGRAMS))
    is_file = key in ("bench", "use") and value.endswith((".yaml", ".yml"))
    return str(folder.absolute() / value) if is_path or is_file else value
