"""The result of one model on one benchmark, and its folder: ``result.json`` and ``rows.jsonl``."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from openvlt.errors import UsageError, closest
from openvlt.records import BenchResult, Row, Run, StageRecord
from openvlt.stages.workspace import Output
from openvlt.store import Home, StageFolder, decode, encode, file_digest, write_atomically, write_run, writing


@dataclass(frozen=True, slots=True)
class Result:
    """What was found, and the folder with the judged rows it was counted from."""

    record: BenchResult
    folder: StageFolder

    def rows(self) -> Iterator[Row]:
        return self.folder.rows(Row)

    @property
    def digest(self) -> str:
        return file_digest(self.folder.rows_file)


def write_result(home: Home, result: BenchResult, judged: Output, stages: Sequence[StageRecord]) -> Path:
    """Write a result and the record of its run; returns the run's folder.

    The same model under the same protocol always writes to the same place. Where the gold answers are not public,
    ``submission.json`` has the answer to each question.

    Args:
        home: the store.
        result: what was found.
        judged: the stage it was counted from.
        stages: all stages it took.
    """
    name = _run_name(result)
    folder = home.runs / name
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(judged.folder.rows_file, folder / "rows.partial")
        (folder / "rows.partial").replace(folder / "rows.jsonl")
    if not any(row.example.answer for row in judged.rows()):
        answers = {row.example.id: _prediction(row) for row in judged.rows()}
        write_atomically(folder / "submission.json", json.dumps(answers, indent=1, ensure_ascii=False).encode())
    write_atomically(folder / "result.json", encode(result))
    write_run(home, Run(name=name, recipe="bench", status="done", stages=tuple(stages), scores=(result,)))
    return folder


def read_result(home: Home, name: str) -> Result:
    """Read a result back.

    Args:
        home: the store.
        name: of a run, or the path of its folder or of a ``result.json``.

    Raises:
        UsageError: there is no result under that name.
    """
    path = Path(name)
    folder = path.parent if path.name == "result.json" else path
    if not (folder / "result.json").is_file():
        folder = home.runs / name
    if not (folder / "result.json").is_file() or not (folder / "rows.jsonl").is_file():
        known = [found.parent.name for found in home.runs.glob("*/result.json")]
        raise UsageError(f"There is no benchmark result '{name}'.", closest(name, known))
    return Result(decode(BenchResult, (folder / "result.json").read_bytes()), StageFolder(folder))


def _run_name(result: BenchResult) -> str:
    name = result.stage
    plain = name.removeprefix("run:") if name.startswith("run:") else Path(name).name
    short = re.sub(r"[^\w.-]+", "-", plain).strip("-")[-40:]
    return f"{result.benchmark}-{short or 'responses'}-{result.protocol_hash[:8]}"


def _prediction(row: Row) -> str:
    """The answer as a verifier has brought it into the benchmark's shape, else as it was extracted."""
    (judged,) = row.judged
    for verdict in judged.verdicts.values():
        if verdict.detail.get("prediction") is not None:
            return str(verdict.detail["prediction"])
    return judged.trace.answer or ""
