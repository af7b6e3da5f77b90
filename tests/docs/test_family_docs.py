"""The table of families in the documentation is what the code does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from families import FAMILIES
from openvlt.vision import KINDS

DOCS = Path(__file__).parents[2] / "docs" / "backends.md"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_documented(family: Callable[[str], Path], name: str) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from openvlt import UsageError
    from openvlt_plugins.hf.attention import use_grouped_attention

    kind = type(AutoProcessor.from_pretrained(family(name)).image_processor).__name__
    try:
        use_grouped_attention(AutoModelForImageTextToText.from_pretrained(family(name)))
        runs = "yes"
    except UsageError:
        runs = "refused"
    sets = (KINDS[kind].__doc__ or "").splitlines()[0].rstrip(".")
    row = f"| {name} | `{kind}` | {sets[0].lower()}{sets[1:]} | {runs} |"
    assert row in DOCS.read_text(encoding="utf-8"), row
