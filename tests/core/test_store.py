"""Stage folders, run records and the home."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from openvlt.errors import DataError, UsageError
from openvlt.records import (
    BenchResult,
    Example,
    Paired,
    Protocol,
    Rate,
    Rejected,
    Row,
    Run,
    Sampling,
    Score,
    StageRecord,
    Trace,
)
from openvlt.records.bench import UsedData, UsedJudge, UsedModel, UsedPrompt, UsedVerifier
from openvlt.store import (
    Home,
    StageFolder,
    StageWriter,
    claimed_run,
    decode,
    digest,
    encode,
    file_digest,
    list_runs,
    numbered,
    open_home,
    read_run,
    write_run,
)

ROWS = [Row(example=Example(id=str(index), question="What?", answer="7")) for index in range(5)]
HALF: dict[str, Any] = {
    "accuracy": None, "correct": 1, "n": 3, "ci95": (0.1, 0.9), "bounds": (1 / 3, 2 / 3), "undecided": 1,
}  # fmt: skip
RUN = Run(
    name="one",
    recipe="quickstart",
    status="done",
    stages=(
        StageRecord(stage_kind="load", name="load-1", iteration=1, fingerprint="f", rejected={"empty gold answer": 2}),
    ),
    scores=(
        BenchResult(
            benchmark="made",
            stage="base",
            headline="exact",
            versus={"blind": Paired(0.1, 0.0, 0.2)},
            scores={"exact": Score(**HALF, breakdown={"kind": {"small": Rate(**HALF)}}, tiers={"text": 1})},
            protocol_hash="0",
            failed={"7": "no endpoint answers"},
            notes=("a note",),
            protocol=Protocol(
                benchmark="made",
                data=UsedData(revision="", split="test", limit=None, content="0"),
                model=UsedModel(id="base", pixels=(4, 8)),
                prompt=UsedPrompt(asked="base", digest="0"),
                decoding=Sampling(stop=("x",)),
                extraction="tag",
                scoring={"exact": UsedVerifier(verifier="a", identity="b")},
                judge=UsedJudge(id="judge", digest="0", backend="openai", decoding=Sampling(), prompts="0"),
            ),
        ),
    ),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    return open_home()


def written(folder: StageFolder, rows: list[Row]) -> StageWriter:
    writer = StageWriter(folder)
    for row in rows:
        writer.row(row)
    return writer


def test_a_stage_gives_back_what_was_written(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path / "stage")
    writer = written(folder, ROWS)
    writer.reject(Rejected(id="9", reason="empty gold answer"))
    summary = writer.finish({"in": 6})
    assert list(folder.rows(Row)) == ROWS
    assert list(folder.rejected()) == [Rejected(id="9", reason="empty gold answer")]
    assert folder.summary() == summary
    assert (summary["in"], summary["out"], summary["rejected"]) == (6, 5, {"empty gold answer": 1})
    assert summary["digest"] == file_digest(folder.rows_file)


def test_a_stage_counts_only_once_it_is_finished(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path / "stage")
    written(folder, ROWS[:3]).close()
    assert folder.summary() is None
    written(folder, ROWS).finish({})
    assert list(folder.rows(Row)) == ROWS


def test_a_stage_that_is_rewritten_is_incomplete_until_then(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path / "stage")
    written(folder, ROWS).finish({})
    writer = written(folder, ROWS[:1])
    assert folder.summary() is None
    writer.finish({})
    assert list(folder.rows(Row)) == ROWS[:1]


def test_a_torn_summary_does_not_count(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path / "stage")
    written(folder, ROWS).finish({})
    os.truncate(folder.summary_file, 20)
    assert folder.summary() is None


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = written(StageFolder(tmp_path / "stage"), ROWS)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"cannot be written: No space left on device. Free some space"):
        writer.finish({})
    assert StageFolder(tmp_path / "stage").summary() is None
    with pytest.raises(DataError, match=r"run.json cannot be written"):
        write_run(Home(tmp_path), RUN)


def test_runs_are_read_back_the_last_written_first(home: Home) -> None:
    for name in ("one", "two"):
        write_run(home, replace(RUN, name=name))
    os.utime(home.runs / "one" / "run.json", (1, 1))
    assert [run.name for run in list_runs(home)] == ["two", "one"]
    assert read_run(home, "one") == RUN


def test_an_unknown_run_offers_the_closest(home: Home) -> None:
    write_run(home, replace(RUN, name="quickstart"))
    with pytest.raises(UsageError, match=r"no run 'quikstart' in .*Did you mean 'quickstart'"):
        read_run(home, "quikstart")


def test_a_run_that_was_killed_is_interrupted(home: Home) -> None:
    with claimed_run(home, "one"):
        write_run(home, replace(RUN, status="running"))
        assert read_run(home, "one").status == "running"
    (run,) = list_runs(home)
    assert run.status == "interrupted"


def test_a_record_that_does_not_read_names_its_file(home: Home) -> None:
    write_run(home, RUN)
    write_run(home, replace(RUN, name="two"))
    path = home.runs / "two" / "run.json"
    path.write_text('{"name": "two"')
    with pytest.raises(DataError, match=str(path)):
        read_run(home, "two")
    with pytest.raises(DataError, match=str(path)):
        list(list_runs(home))


def test_the_home_is_the_users_data_folder_or_what_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("OPENVLT_HOME", raising=False)
    assert open_home().root.is_relative_to(tmp_path)
    monkeypatch.setenv("OPENVLT_HOME", "~/elsewhere")
    assert open_home().root == tmp_path / "elsewhere"
    assert (tmp_path / "elsewhere" / "values").is_dir()


def test_cached_values_of_a_home_from_before_they_were_called_so_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows" / "identity").mkdir(parents=True)
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path))
    assert (open_home().values / "identity").is_dir()


def test_a_home_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(DataError, match=r"file/home cannot be written: .*set OPENVLT_HOME"):
        open_home()


texts = st.text(max_size=20)
traces = st.builds(Trace, think=texts, answer=st.none() | texts, raw=texts, sample=st.integers(0, 9))
examples = st.builds(
    Example,
    id=texts, question=texts, answer=texts, choices=st.lists(texts, max_size=3).map(tuple),
    metadata=st.dictionaries(texts, texts | st.integers(-9, 9) | st.booleans(), max_size=3),
)  # fmt: skip


@given(st.builds(Row, example=examples, caption=st.none() | texts, traces=st.lists(traces, max_size=2).map(tuple)))
def test_any_row_survives_the_way_to_disk(row: Row) -> None:
    line = encode(row)
    assert b"\n" not in line
    assert decode(Row, line) == row
    assert digest(decode(Row, line)) == digest(row)


def test_digests_do_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest("a", "b") != digest("ab")
    assert digest({"a": 1}) != digest({"a": "1"})


def test_a_numbered_digest_is_the_digest_of_both() -> None:
    base = digest("anything")
    assert [numbered(base, number) for number in (0, 7, 123)] == [digest(base, number) for number in (0, 7, 123)]
