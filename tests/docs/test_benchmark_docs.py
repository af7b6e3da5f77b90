"""The benchmark that the page on benchmarks writes is one, and its layouts of response files are those there are."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from openvlt.bench.layouts import LAYOUTS
from openvlt.registry import Registry

PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def test_the_example_is_a_benchmark() -> None:
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    whole = [block for block in blocks if isinstance(block, dict) and "use" in block]
    assert whole
    for spec in whole:
        assert Registry.discover().build("benchmark", spec).component


def test_every_layout_is_listed_by_what_it_is_recognised_by() -> None:
    cells = [set(re.findall(r"`\[?(\w[\w.]*)\]?`", line)) for line in PAGE.splitlines() if line.startswith("| ")]
    for layout in LAYOUTS:
        marks = {name for mark in layout.marks for name in mark.split("|")[:1]} - {"value"}
        assert any(marks <= row for row in cells), layout.name
