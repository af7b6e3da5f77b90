"""The benchmark that the page on benchmarks writes is one."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from openvlt.registry import Registry

PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def test_the_example_is_a_benchmark() -> None:
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    whole = [block for block in blocks if isinstance(block, dict) and "use" in block]
    assert whole
    for spec in whole:
        assert Registry.discover().build("benchmark", spec).component
