"""Load: bad rows are left out with a reason, images are stored once, nothing of a benchmark is let in."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from made import Bench, Heard

from openvlt.errors import DataError, Fault, Reject, RemoteError, UsageError, WrongResult
from openvlt.records import Example, Rejected, Row
from openvlt.results import LONGEST, check_example
from openvlt.stages.accepting import accepted
from openvlt.stages.load import image_digests, load
from openvlt.stages.workspace import NotDone, Output
from openvlt.store import images


def test_rows_are_loaded_in_order_with_their_images_by_digest(stages: Bench) -> None:
    loaded = stages.load(n=6, per_image=2)
    rows = list(loaded.rows())
    assert [row.example.id for row in rows] == [f"train/{index}" for index in range(6)]
    assert {row.example.source for row in rows} == {"made"}
    assert len(image_digests(rows)) == 3
    assert all(stages.workspace.images.read(row.example.images[0]).size == (8, 8) for row in rows)
    assert len([path for path in stages.workspace.home.images.rglob("*") if path.is_file()]) == 3
    assert (loaded.record.taken, loaded.record.out, loaded.record.rejected) == (6, 6, {})


def test_a_picture_that_is_replaced_is_noticed(stages: Bench, tmp_path: Path) -> None:
    picture, table = tmp_path / "1.png", tmp_path / "rows.jsonl"
    table.write_text('{"question": "What?", "answer": "1", "image": "1.png"}\n' * 2)
    PIL.Image.new("RGB", (8, 8), "red").save(picture)
    source = stages.build("source", "rows", path=str(table))

    def loaded() -> Output:
        return load(stages.workspace, "load-1", 1, source, "train")

    first, again = loaded(), loaded()
    before = [row.example.images for row in first.rows()]
    assert (first.record.cached, again.record.cached) == (False, True)
    os.utime(picture, ns=(0, 0))
    assert not (touched := loaded()).record.cached and touched.digest == first.digest
    heard = stages.workspace.progress = Heard()
    PIL.Image.new("RGB", (8, 8), "blue").save(picture)
    stages.workspace.dry_run = True
    with pytest.raises(NotDone):
        loaded()
    stages.workspace.dry_run = False
    replaced = loaded()
    assert heard.notes == [f"load-1: {picture} has changed, so the rows are loaded again."]
    assert [row.example.images for row in replaced.rows()] != before
    assert loaded().record.cached
    picture.unlink()
    assert loaded().record.cached, "what is gone has no newer content"


def test_a_rejected_row_names_its_number_and_pictures_in_a_file_that_is_kept(stages: Bench, tmp_path: Path) -> None:
    table = tmp_path / "rows.jsonl"
    table.write_text('{"id": "a", "question": "What?", "answer": "1", "image": "no.png"}\n{"id": "b", "answer": "1"}\n')
    with pytest.raises(DataError, match=r"lost 2 of 2 rows.*Look at \S+/rejected\.jsonl") as error:
        load(stages.workspace, "load-1", 1, stages.build("source", "rows", path=str(table)), "train")
    rejected = Path(str(error.value).partition("Look at ")[2].partition(",")[0])
    told = [(row["id"], row["where"]) for row in map(json.loads, rejected.read_text().splitlines())]
    assert told == [("a", f"row 1, {tmp_path / 'no.png'}"), ("rows.jsonl:2", "row 2")]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("empty gold", "empty gold answer"),
        ("duplicate id", "duplicate id"),
        ("missing image", "image file missing"),
        ("broken image", "image unreadable"),
        ("rejected", "the source's own reason"),
    ],
)
def test_a_bad_row_is_left_out_with_a_reason(stages: Bench, fault: str, reason: str) -> None:
    loaded = stages.load(n=20, faults={fault: [3, 7]})
    assert (loaded.record.taken, loaded.record.out, loaded.record.rejected) == (20, 18, {reason: 2})
    assert [(each.reason, each.transient) for each in loaded.folder.rejected()] == [(reason, False)] * 2
    assert len(list(loaded.rows())) == 18


def test_a_row_that_the_machine_fails_to_read_is_not_rejected(stages: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path) -> BufferedReader:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    with monkeypatch.context() as patched, pytest.raises(RemoteError, match="1 of 20 rows cannot be read for now"):
        patched.setattr(images, "open_regular", fails)
        stages.load(n=20, faults={"missing image": [3]})
    assert stages.load(n=20, faults={"missing image": [3]}).record.rejected == {"image file missing": 1}


def test_too_many_bad_rows_stop_the_stage_and_say_why(stages: Bench) -> None:
    with pytest.raises(DataError) as error:
        stages.load(n=20, faults={"empty gold": [1, 2], "missing image": [3]})
    assert "lost 3 of 20 rows, over the limit of 10% (2 x empty gold answer; 1 x image file missing)" in str(
        error.value
    )
    rejected = Path(str(error.value).split("Look at ")[1].split(",")[0])
    assert len(rejected.read_text().splitlines()) == 3
    assert "fix the data, or accept the loss (--set reject_above=0.15)." in str(error.value)
    stages.workspace.reject_above = 0.15
    assert stages.load(n=20, faults={"empty gold": [1, 2], "missing image": [3]}).record.out == 17


def test_a_source_without_rows_is_an_error(stages: Bench) -> None:
    with pytest.raises(DataError, match=r"lost 0 of 0 rows.*it has no rows.*fix the data\.$"):
        stages.load(n=0)


def test_an_unknown_split_offers_the_closest(stages: Bench) -> None:
    with pytest.raises(UsageError, match=r"made has no split 'tets'. Did you mean 'test'\?"):
        stages.load(split="tets")


def test_the_limit_counts_good_rows(stages: Bench) -> None:
    stages.workspace.reject_above = 0.5
    loaded = stages.load(n=20, limit=5, faults={"empty gold": [1]})
    assert [row.example.id for row in loaded.rows()] == [f"train/{index}" for index in (0, 2, 3, 4, 5)]
    assert loaded.record.taken == 6


def test_a_second_look_reads_nothing(stages: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = stages.load(n=5)
    source = stages.build("source", "made", n=5)
    monkeypatch.setattr(type(source.component), "examples", None)
    again = stages.load(n=5)
    assert (first.record.cached, again.record.cached) == (False, True)
    assert (again.digest, again.record.fingerprint) == (first.digest, first.record.fingerprint)
    assert list(again.rows()) == list(first.rows())


def test_an_image_of_a_benchmark_is_kept_out(stages: Bench) -> None:
    test = image_digests(stages.load(n=30, split="test").rows())
    assert not test & image_digests(stages.load(n=30).rows())
    leaky = stages.load(n=30, faults={"test image": [4, 9]}, held_out=test)
    assert leaky.record.rejected == {"image is in a benchmark": 2}
    assert not test & image_digests(leaky.rows())


def test_rows_survive_a_change_of_their_neighbours(stages: Bench) -> None:
    """The place of a row in the source is no part of it."""

    def by_id(rows: list[Row]) -> dict[str, Row]:
        return {row.example.id: row for row in rows}

    few, many = by_id(list(stages.load(n=5).rows())), by_id(list(stages.load(n=9).rows()))
    assert {id: many[id] for id in few} == few


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"question": "\ud800 what?"}, "question contains a lone surrogate"),
        ({"answer": "a\0b"}, "answer contains a NUL character"),
        ({"id": 7}, "id is int, not text"),
        ({"answer": b"yes"}, "answer is bytes, not text"),
        ({"question": [["what?"]]}, "question is list, not text"),
        ({"question": "x" * (LONGEST + 1)}, "question is longer than 1,000,000 characters"),
        ({"unit": 3}, "unit is int, not text"),
        ({"choices": "ab"}, "choices are str, not texts"),
        ({"choices": ("a", None)}, "choice is NoneType, not text"),
        ({"images": ["a.png"]}, "images are no tuple of images"),
        ({"answer_type": "number"}, "the answer type 'number'"),
        ({"precision": 10**9}, "precision is no whole number from 0 to 300"),
        ({"metadata": [1]}, "metadata is list, not a mapping"),
        ({"metadata": {"a": {1: object()}}}, "metadata is not JSON"),
        ({"metadata": {"a": _nested(100_000)}}, "metadata is not JSON"),
        ({"metadata": {"a": _nested(230)}}, "metadata is not JSON"),
        ({"metadata": {"a": ["\ud800"]}}, "metadata is not JSON"),
        ({"metadata": {"a\ud800": 1}}, "key of metadata contains a lone surrogate"),
    ],
)
def test_a_row_that_no_stage_could_store_is_rejected(fields: dict[str, Any], reason: str) -> None:
    row = Example(**{"id": "1", "question": "what?", "answer": "yes", **fields})
    with pytest.raises((Reject, WrongResult), match=re.escape(reason)):
        check_example(row)


def read(stages: Bench, monkeypatch: pytest.MonkeyPatch, rows: Iterator[Any]) -> Iterator[Any]:
    """What is accepted of these rows of a source whose size is not known."""
    source = stages.build("source", "made")
    monkeypatch.setattr(type(source.component), "examples", lambda *_: rows)
    monkeypatch.setattr(type(source.component), "size", lambda *_: None)
    return accepted(stages.workspace, source, source.component, "train")


def test_what_is_no_row_at_all_is_rejected_by_its_number(stages: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = [None, {"id": "1"}, Rejected(id="\ud800", reason="\0\ud800")]
    found = [(each.id, each.reason) for each in read(stages, monkeypatch, iter(odd))]
    told = "source made (file:openvlt_fake) failed in examples: it returned {}, not an Example (test_load.py:"
    assert [id for id, _ in found] == ["row 1", "row 2", "\\ud800"]
    assert found[0][1].startswith(told.format("NoneType")) and found[1][1].startswith(told.format("dict"))
    assert found[2][1] == "\\x00\\ud800"


def test_a_source_that_fails_is_named(stages: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows() -> Iterator[Example]:
        yield Example(id="1", question="what?", answer="yes")
        raise KeyError("gold")

    found = read(stages, monkeypatch, rows())
    assert isinstance(next(found), Example)
    with pytest.raises(
        Fault, match=r"source made .* failed in examples: KeyError: 'gold' \(test_load\.py:\d+\), which"
    ):
        next(found)
