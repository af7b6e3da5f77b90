"""Load: bad rows are left out with a reason, images are stored once, nothing of a benchmark is let in."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import Bench

from openvlt.errors import DataError, UsageError
from openvlt.records import Row
from openvlt.stages.load import image_digests


def test_rows_are_loaded_in_order_with_their_images_by_digest(stages: Bench) -> None:
    loaded = stages.load(n=6, per_image=2)
    rows = list(loaded.rows())
    assert [row.example.id for row in rows] == [f"train/{index}" for index in range(6)]
    assert {row.example.source for row in rows} == {"made"}
    assert len(image_digests(rows)) == 3
    assert all(stages.workspace.images.read(row.example.images[0]).size == (8, 8) for row in rows)
    assert len([path for path in stages.workspace.home.images.rglob("*") if path.is_file()]) == 3
    assert (loaded.record.taken, loaded.record.out, loaded.record.rejected) == (6, 6, {})


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


def test_too_many_bad_rows_stop_the_stage_and_say_why(stages: Bench) -> None:
    with pytest.raises(DataError) as error:
        stages.load(n=20, faults={"empty gold": [1, 2], "missing image": [3]})
    assert "lost 3 of 20 rows, over the limit of 10% (2 x empty gold answer; 1 x image file missing)" in str(
        error.value
    )
    rejected = Path(str(error.value).split("Look at ")[1].split(",")[0])
    assert len(rejected.read_text().splitlines()) == 3
    stages.workspace.reject_above = 0.2
    assert stages.load(n=20, faults={"empty gold": [1, 2], "missing image": [3]}).record.out == 17


def test_a_source_without_rows_is_an_error(stages: Bench) -> None:
    with pytest.raises(DataError, match=r"lost 0 of 0 rows.*it has no rows"):
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
