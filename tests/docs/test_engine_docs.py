"""The page on other engines has every key that they are given, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from openvlt.registry.options import options_of
from openvlt_plugins.foreign.easyr1 import EasyR1
from openvlt_plugins.foreign.verl import Verl

PAGE = (Path(__file__).parents[2] / "docs" / "engines.md").read_text(encoding="utf-8")
ENGINES: tuple[Any, ...] = (Verl, EasyR1)


def test_the_tables_are_those_of_the_code() -> None:
    rows = [
        line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\| `\w+` \| [`-].* \| [`-]", line)
    ]
    written = {row[0].strip("`"): [re.findall(r"`([^`]+)`", cell) for cell in row[1:]] for row in rows}
    names = dict.fromkeys(name for engine in ENGINES for name in engine.KEYS)
    assert written == {name: [list(engine.KEYS.get(name, ())) for engine in ENGINES] for name in names}
    fixed = re.findall(r"^\| `(\S+)` \((\w+)\) \| `(.*)` \|$", PAGE, re.MULTILINE)
    assert {(form, key): json.loads(value) for key, form, value in fixed} == {
        (engine.form, key): value for engine in ENGINES for key, value in engine.FIXED.items()
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_an_option_that_sets_no_key_is_none_of_the_engine(engine: Any) -> None:
    """Each option is a key of the engine, or says how it is run."""
    of_ours = {"python", "host", "reward_workers", "secrets_needed", "extra", "merger"}
    names = {option.name for option in options_of(engine)}
    assert names - of_ours <= set(engine.KEYS)
