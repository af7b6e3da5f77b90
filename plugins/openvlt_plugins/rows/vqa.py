"""The two files of VQAv2: questions, and the annotations that answer them by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from openvlt import Rejected, tables

Answers: TypeAlias = dict[Any, dict[str, Any]]
Row: TypeAlias = tables.TableRow | Rejected


def is_annotations(file: Path) -> bool:
    """True for a file whose rows answer questions of another file."""
    if file.suffix != ".json":
        return False
    _, row = next(tables.read_table(file), ("", {}))
    return isinstance(row, dict) and {"question_id", "multiple_choice_answer"} <= row.keys() and "question" not in row


def answers(files: Iterable[Path]) -> Answers:
    """The most common answer, its type and the question's, by id of the question."""
    rows = (row for file in files for _, row in tables.read_table(file) if isinstance(row, dict))
    kept = ("multiple_choice_answer", "answer_type", "question_type")
    return {row.get("question_id"): {name: row[name] for name in kept if name in row} for row in rows}


def answered(rows: Iterable[tuple[str, Row]], golds: Answers) -> Iterator[tuple[str, Row]]:
    """The rows by position, each question with its answer."""
    if not golds:
        yield from rows
        return
    for position, row in rows:
        yield position, row if isinstance(row, Rejected) else {**row, **golds.get(row.get("question_id"), {})}
