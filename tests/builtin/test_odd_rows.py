"""Rows with any value in any column: an example or a rejected row, from every source of tables."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openvlt import Example, Rejected, tables
from openvlt_plugins.llava_onevision.source import LlavaOneVision
from openvlt_plugins.qa.table import Table
from openvlt_plugins.rows.source import ALIASES, Rows

ODD: list[Any] = [
    None, True, 0, -1, 10**400, 0.5, float("nan"), float("inf"), "", " ", "A", "yes", "nan", "1e999", "\ud800", "a\0",
    "['a', 'b']", "{'a': [}", "{[]: 1}", "[[1]]", "(" * 300, "-" * 5000 + "1", "<image>", "../a.png", "['a", b"", b"\xff",
    date(2000, 1, 1), datetime.max, Decimal("NaN"), 1j, {1, 2}, [], {},
]  # fmt: skip
NESTED = [
    *ODD, *([value] for value in ODD), *([value, value] for value in ODD), *({"a": value} for value in ODD),
    *({"bytes": value, "path": "a"} for value in ODD), *([[value]] for value in ODD),
    *([{"from": "human", "value": value}, {"from": "gpt", "value": value}] for value in ODD),
    *([{"from": "human", "value": "How many?"}, {"from": "gpt", "value": value}] for value in ODD),
]  # fmt: skip
COLUMNS = [name for names in ALIASES.values() for name in names]
ROW = {"id": "1", "question": "q", "answer": "1", "options": ["a", "b"]}
TURNS = {"image": b"png", "conversations": [{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "3"}]}


SOURCES = {
    "rows": (Rows(path="rows.jsonl"), ROW, [*COLUMNS, "extra"]),
    "index": (Rows(path="rows.jsonl", answer_is_index=True), ROW, COLUMNS),
    "table": (
        Table(
            columns={
                "id": "{id}/{question}", "question": "question", "answer": "answer|gold", "choices": "options|A-Z",
                "answer_type": "metadata.type?", "precision": "precision?", "unit": "unit?",
            },
            path="rows.jsonl", sizes={"train": 1}, images=("image?", "images?"), metadata={"more": "metadata.more?"},
            golds={"a": "b"}, parts={"id": "(?P<part>.)"},
        ),
        ROW,
        [*COLUMNS, "A", "metadata", "extra"],
    ),
    "llava": (LlavaOneVision(configs=("config",), data="data"), TURNS, list(TURNS)),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_rows_with_any_value(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, base, columns = SOURCES[name]
    rows = [base, *({**base, column: value} for column in columns for value in NESTED)]
    monkeypatch.setattr(tables, "find_files", lambda *_: [Path("/data/rows.jsonl")])
    monkeypatch.setattr(tables, "read_table", lambda _: ((str(number), row) for number, row in enumerate(rows)))
    monkeypatch.setattr(tables, "read_rows", lambda _: iter(rows))
    monkeypatch.setattr(LlavaOneVision, "_files", lambda *_: [Path("/data/rows.parquet")])
    found = list(source.examples("train"))
    assert len(found) == len(rows)
    assert all(isinstance(item, Example | Rejected) for item in found)
    assert isinstance(found[0], Example)
    assert sum(isinstance(item, Rejected) for item in found) > len(found) / 20
