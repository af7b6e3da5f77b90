"""The near-duplicates of benchmark questions that a load stage drops, and the list of them that it leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from openvlt.errors import DataError
from openvlt.near_duplicates import VERSION, NearDuplicate, NearDuplicates
from openvlt.records import Example, StageRecord
from openvlt.stages.workspace import Output, Workspace
from openvlt.store import decode, writing

PAIRS = "near-duplicates.jsonl"
"""File of a load stage that lists the pairs."""
COUNT = "near_duplicates"
"""The count in the record of a load stage, which is there (0) if they were looked for."""


class BenchmarkQuestions:
    """The questions of a run's benchmarks, read when the first row is compared with them.

    Args:
        workspace: of the run.
        questions: the load stage of each benchmark, by its name.
    """

    def __init__(self, workspace: Workspace, questions: Mapping[str, Output]) -> None:
        self.identity = (VERSION, {name: output.digest for name, output in questions.items()})
        self._workspace, self._questions = workspace, questions
        self._known: NearDuplicates | None = None

    def find(self, example: Example) -> NearDuplicate | None:
        """The question that a loaded example repeats."""
        if self._known is None:
            known = NearDuplicates(self._workspace.images.read)
            for name, output in self._questions.items():
                known.add(name, (row.example for row in output.rows()))
            self._known = known
        return self._known.find(example)


def reason(benchmark: str) -> str:
    """Why the near-duplicates of a benchmark's questions are rejected."""
    return f"near-duplicate of a question of {benchmark}"


def write_pair(file: Path, pair: NearDuplicate) -> None:
    """Append a pair to the list of a stage."""
    with writing(file), file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(pair)) + "\n")


def pairs_of(folder: Path) -> list[NearDuplicate]:
    """The pairs in the folder of a stage, in order; the images are in the store, by their digests.

    Raises:
        DataError: the list is damaged.
    """
    file = folder / PAIRS
    if not file.is_file():
        return []
    try:
        return [decode(NearDuplicate, line) for line in file.read_bytes().splitlines()]
    except ValueError as error:
        raise DataError(f"The list {file} is damaged.", "Delete it to go on without it.") from error


def in_training_data(benchmark: str, stages: Mapping[str, StageRecord]) -> str:
    """What was found of a benchmark in the rows that were loaded, for its result; empty if nothing was looked for."""
    looked = {name: record.rejected for name, record in stages.items() if COUNT in record.counts}
    found = [
        f"{rejected[why]} in {name}" for name, rejected in looked.items() if (why := reason(benchmark)) in rejected
    ]
    if found:
        return f"dropped from the training data: {', '.join(found)}"
    return f"none in the training data ({', '.join(looked)})" if looked else ""
