"""The table of the page on GPUs is what the code plans."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_is_that_of_the_code() -> None:
    page = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
    written = page.partition("<!-- scripts/memory_table.py -->\n")[2].partition("\n<!-- end -->")[0]
    made = runpy.run_path(str(ROOT / "scripts" / "memory_table.py"))["table"]()
    assert written.splitlines() == list(made)
