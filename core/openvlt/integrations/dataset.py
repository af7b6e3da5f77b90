"""The data set that a distillation makes: one row a trace, with its images, verdicts and a card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from openvlt.errors import UsageError
from openvlt.integrations.parquet import Column, pictures, write_shards
from openvlt.records import Judged, Row
from openvlt.store import ImageStore, replacing

COLUMNS: Mapping[str, Column] = {
    "id": "string", "source": "string", "question": "string", "gold": "string", "caption": "string",
    "think": "string", "explanation": "string", "answer": "string", "response": "string", "verdicts": "string",
    "choices": ["string"], "images": ["image"], "correct": "bool", "sample": "int32", "completion_tokens": "int32",
}  # fmt: skip


HEAD = "---\ntags:\n- openvlt\n"
"""How the card of each data set begins."""


def check_folder(folder: Path) -> None:
    """Make sure that there is nothing in a folder but an earlier data set.

    Raises:
        UsageError: there is something else.
    """
    if not folder.exists():
        return
    card = folder / "README.md"
    ours = folder.is_dir() and {path.name for path in folder.iterdir()} <= {"README.md", "data"}
    if ours and card.exists():
        ours = card.read_text(encoding="utf-8", errors="replace").startswith(HEAD)
    if not ours or any(not path.match("train-*.parquet") for path in folder.glob("data/*")):
        raise UsageError(f"{folder} contains files that openvlt did not write.", "Give --out a new folder.")


def write_dataset(folder: Path, rows: Iterable[Row], images: ImageStore, card: str) -> int:
    """Write judged rows as a folder for `datasets.load_dataset`.

    Args:
        folder: gets ``README.md`` and ``data/train-*.parquet``, all at once; an earlier data set is replaced.
        rows: of a verify or select stage.
        images: has their images.
        card: text of the README.

    Returns:
        The number of traces.

    Raises:
        UsageError: the folder has something else than an earlier data set.
    """
    check_folder(folder)
    with replacing(folder) as partial:
        count = write_shards(partial / "data", COLUMNS, _records(rows, images))
        (partial / "README.md").write_text(card, encoding="utf-8")
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
        "question": example.full_question,
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
