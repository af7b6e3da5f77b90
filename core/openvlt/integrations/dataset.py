"""The data set that a distillation makes: one row a trace, with its images, verdicts and a card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from openvlt.integrations.parquet import Column, pictures, write_shards
from openvlt.records import Judged, Row
from openvlt.store import ImageStore

COLUMNS: Mapping[str, Column] = {
    "id": "string", "source": "string", "question": "string", "gold": "string", "caption": "string",
    "think": "string", "explanation": "string", "answer": "string", "response": "string", "verdicts": "string",
    "choices": ["string"], "images": ["image"], "correct": "bool", "sample": "int32", "completion_tokens": "int32",
}  # fmt: skip


def write_dataset(folder: Path, rows: Iterable[Row], images: ImageStore, card: str) -> int:
    """Write judged rows as a folder for `datasets.load_dataset`.

    Args:
        folder: gets ``README.md`` and ``data/train-*.parquet``.
        rows: of a verify or select stage.
        images: has their images.
        card: text of the README.

    Returns:
        The number of traces.
    """
    count = write_shards(folder / "data", COLUMNS, _records(rows, images))
    (folder / "README.md").write_text(card, encoding="utf-8")
    return count


def _records(rows: Iterable[Row], images: ImageStore) -> Iterator[dict[str, Any]]:
    for row in rows:
        shown = pictures(row.example, images)
        for judged in row.judged:
            yield {**_record(row, judged), "images": shown}


def _record(row: Row, judged: Judged) -> dict[str, Any]:
    example, trace = row.example, judged.trace
    verdicts = {name: asdict(verdict) for name, verdict in judged.verdicts.items()}
    return {
        "id": example.id,
        "source": example.source,
        "question": example.question,
        "choices": list(example.choices),
        "gold": example.answer,
        "caption": row.caption,
        "think": trace.think,
        "explanation": trace.explanation,
        "answer": trace.answer,
        "response": trace.raw,
        "correct": judged.is_correct,
        "sample": trace.sample,
        "completion_tokens": trace.completion_tokens,
        "verdicts": json.dumps(verdicts, ensure_ascii=False),
    }
