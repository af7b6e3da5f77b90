"""Components that look at the pixels: the core hands them a reader, in the calling process and in workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made import Bench, bench

from openvlt.errors import UsageError
from openvlt.records import Format
from openvlt.stages.filter import Choice, Choosing, filter_examples
from openvlt.store import open_home
from openvlt.verification import VerifierRunner

PLUGIN = '''
from dataclasses import dataclass
from typing import Any
from openvlt import Drop, LookingExampleFilter, LookingTraceFilter, LookingVerifier, Verdict, hookimpl

def red(read: Any, example: Any) -> int:
    return read(example.images[0]).getpixel((0, 0))[0]

@dataclass(frozen=True)
class Reddish(LookingVerifier):
    """Right if the picture is as red as the number of the row."""
    inline = True

    def look(self, claim: Any, read: Any) -> Verdict:
        if red(read, claim.example) == 3:
            raise KeyError("pixel")
        return Verdict.scored(red(read, claim.example) / 255, "seen")

@dataclass(frozen=True)
class Grouped(Reddish):
    grouped = True

@dataclass(frozen=True)
class Even(LookingExampleFilter):
    def look(self, example: Any, facts: Any, read: Any) -> Drop | None:
        return Drop("odd") if red(read, example) % 2 else None

@dataclass(frozen=True)
class EvenTraces(LookingTraceFilter):
    def look(self, example: Any, judged: Any, read: Any) -> Any:
        return Drop("odd") if red(read, example) % 2 else judged[:1]

@hookimpl
def register_verifiers(register):
    register("reddish", Reddish, summary="looks")
    register("grouped", Grouped, summary="looks")

@hookimpl
def register_filters(register):
    register("even", Even, summary="looks")
    register("even-traces", EvenTraces, summary="looks")
'''


@pytest.fixture
def looking(tmp_path: Path, fake_plugin: Path, fake_model: Path, fake: Any, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    file = tmp_path / "looking.py"
    file.write_text(PLUGIN)
    return bench(open_home(), [fake_plugin, file], fake_model, tmp_path / "asked.jsonl")


@pytest.mark.parametrize("name", ["reddish", "grouped"])
def test_a_verifier_sees_the_pixels_in_its_worker(looking: Bench, name: str) -> None:
    looking.workspace.reject_above = 0.2
    traces = looking.distill(looking.load(n=5), k=1)
    made = looking.verify(traces, seen={"use": name})
    verdicts = [judged.verdicts["seen"] for row in made.rows() for judged in row.judged]
    assert [verdict.score for verdict in verdicts] == [0.0, 1 / 255, 2 / 255, None, 4 / 255]
    assert verdicts[3].status == "error" and "KeyError" in verdicts[3].reason


def test_filters_see_the_pixels(looking: Bench) -> None:
    rows = looking.load(n=5)
    choice = Choice((looking.build("filter", "even"),), 2)
    assert choice.is_row_by_row
    made = filter_examples(looking.workspace, "filter-1", 1, rows, Choosing(looking.workspace, choice, {}))
    assert [row.example.id for row in made.rows()] == ["train/0", "train/2"]
    assert made.record.rejected == {"even: odd": 2, "beyond the limit": 1}
    chosen = looking.select(looking.verify(looking.distill(rows, k=2)), {"use": "even-traces"})
    assert [len(row.judged) for row in chosen.rows()] == [1, 1, 1]
    assert chosen.record.rejected == {"even-traces: odd": 2}


def test_where_there_are_no_images_it_is_refused(looking: Bench) -> None:
    with pytest.raises(UsageError, match="The verifier 'seen' looks at the images, which are not in a store here"):
        VerifierRunner({"seen": looking.build("verifier", "reddish")}, format=Format())
