"""The near-duplicates of benchmark questions that a load stage drops, and the list of them that it leaves.

What is known of a benchmark's picture is kept among the values of the store, under the picture's digest, so that it is
hashed once and not by each stage and run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from openvlt.errors import DataError
from openvlt.near_duplicates import VERSION, KnownPicture, NearDuplicate, NearDuplicates
from openvlt.records import Example, Image, StageRecord
from openvlt.stages.workspace import Output, Workspace
from openvlt.store import ImageStore, ValueStore, decode, digest, encode, writing

PAIRS = "near-duplicates.jsonl"
"""File of a load stage that lists the pairs."""
COUNT = "near_duplicates"
"""The count in the record of a load stage, which is there (0) if they were looked for."""
HASHES = digest("hashes for near-duplicates", VERSION)
"""The folder of values with what is known of pictures."""
CHUNK = 64
"""Pictures that are kept at once, since each time waits for the disk."""


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
            images = self._workspace.images
            with ValueStore(self._workspace.home.values / HASHES) as store:
                hashing = _Hashing(images, store)
                known = NearDuplicates(images.read, hashing.known)
                for name, output in self._questions.items():
                    known.add(name, (row.example for row in output.rows()))
                hashing.keep()
            self._known = known
        return self._known.find(example)


class _Hashing:
    """Finds what is known of pictures in the store, or hashes them and keeps it there."""

    def __init__(self, images: ImageStore, store: ValueStore) -> None:
        self._images, self._store = images, store
        self._new: list[tuple[str, bytes]] = []

    def known(self, image: Image) -> KnownPicture:
        kept = self._store.get_all([image.sha256]).get(image.sha256)
        if kept is not None:
            return KnownPicture.unpacked(decode(str, kept))
        found = KnownPicture.of(self._images.read(image))
        self._new.append((image.sha256, encode(found.packed())))
        if len(self._new) == CHUNK:
            self.keep()
        return found

    def keep(self) -> None:
        """Write what is new; it then survives a crash."""
        if self._new:
            self._store.put(self._new)
            self._new = []


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
