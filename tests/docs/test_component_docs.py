"""The page on built-in components names every one of them, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from openvlt.registry import Registry

PAGE = Path(__file__).parents[2] / "docs/components.md"


def test_the_page_names_every_builtin_component() -> None:
    cells = [line.split("|")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    builtin = {entry.name for entry in Registry.discover().entries() if entry.id.startswith("openvlt/")}
    assert named == builtin
