"""The data-side components in the stages that use them: load, choose, select."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as Pictures

from openvlt import Trace, Verdict
from openvlt.records import Judged
from openvlt.registry import Registry
from openvlt.stages.filter import Choice, Choosing, filter_examples
from openvlt.stages.load import load
from openvlt.stages.select import select
from openvlt.stages.workspace import Output, Workspace
from openvlt.store import Home, StageWriter


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(Home(tmp_path / "home"), Registry.discover(), reject_above=0.5)


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Pictures.new("L", (4, 4), shade).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def loaded(workspace: Workspace, tmp_path: Path) -> Output:
    rows = [{"question": f"Which {n}?", "answer": "ab"[n % 3 > 0], "image": f"{n}.png"} for n in range(9)]
    for n in range(9):
        (tmp_path / f"{n}.png").write_bytes(png(n * 20))
    (tmp_path / "8.png").write_bytes(b"no image")
    rows += [rows[0], {"question": "Which?", "answer": "a", "image": "absent.png"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    built = workspace.registry.build("source", {"use": "rows", "path": str(tmp_path / "rows.jsonl")})
    return load(workspace, "load-1", 1, built, "train")


def test_load_keeps_the_good_rows_and_counts_the_bad(loaded: Output) -> None:
    assert loaded.record.out == 9
    assert sum(loaded.record.rejected.values()) == 2
    assert loaded.record.rejected["image file missing"] == 1
    assert all(row.example.images[0].width == 4 and row.example.source == "rows" for row in loaded.rows())


def test_example_filters_in_a_row_say_who_took_what(workspace: Workspace, loaded: Output) -> None:
    specs = ["dedup", {"use": "balance-examples", "by": ["answer"]}, {"use": "sample", "count": 4}]
    filters = tuple(workspace.registry.build("filter", spec) for spec in specs)
    chosen = filter_examples(workspace, "filter-1", 1, loaded, Choosing(workspace, Choice(filters, 3), {}))
    assert chosen.record.out == 3
    assert dict(chosen.record.rejected) == {
        "dedup: duplicate": 1,
        "balance-examples: enough of its answer": 2,
        "sample: not drawn": 2,
        "beyond the limit": 1,
    }


def test_trace_filters_in_a_row_say_who_took_what(workspace: Workspace, loaded: Output, tmp_path: Path) -> None:
    folder = replace(loaded.folder, path=tmp_path / "verified")
    writer = StageWriter(folder)
    for number, row in enumerate(loaded.rows()):
        think = "It is plain to see, for it is so. Wait, no." if number % 2 else "It is so."
        verdict = Verdict.correct() if number else Verdict.incorrect()
        trace = Trace(think=think, answer=row.example.answer, raw=think)
        writer.row(replace(row, judged=(Judged(trace=trace, verdicts={"answer": verdict}),)))
    written = writer.finish({"in": 9})
    judged = replace(loaded, folder=folder, digest=written["digest"])
    specs = [
        "correct",
        {"use": "truncate-reflection", "min_words": 5},
        {"use": "balance", "by": ["answer"], "total": 4},
    ]
    chosen = select(workspace, "select-1", 1, judged, [workspace.registry.build("filter", spec) for spec in specs])
    thoughts = {row.judged[0].trace.think for row in chosen.rows()}
    assert thoughts <= {"It is plain to see, for it is so.", "It is so."}
    assert chosen.record.out == 4
    assert dict(chosen.record.rejected) == {"correct: no correct trace": 1, "balance: enough of its answer": 4}
