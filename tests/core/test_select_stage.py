"""Select: filters in order, each told how many rows it took, none allowed to touch an answer."""

from __future__ import annotations

import pytest
from made import Bench

from openvlt.errors import DataError
from openvlt.stages.workspace import Output


@pytest.fixture
def judged(stages: Bench) -> Output:
    return stages.verify(stages.distill(stages.load(n=30)))


def test_filters_are_applied_in_order_and_counted(stages: Bench, judged: Output) -> None:
    chosen = stages.select(judged, {"use": "correct"}, {"use": "per-question", "count": 1})
    rows = list(chosen.rows())
    assert all(len(row.judged) == 1 and row.judged[0].is_correct for row in rows)
    assert chosen.record.rejected == {"correct: no correct trace": 30 - len(rows)}
    assert chosen.record.counts["traces"] == len(rows)
    assert 10 < len(rows) < 30


def test_no_filter_keeps_everything(stages: Bench, judged: Output) -> None:
    chosen = stages.select(judged)
    assert list(chosen.rows()) == list(judged.rows())
    assert chosen.record.counts["traces"] == 60


def test_nothing_left_says_which_filter_took_how_many(stages: Bench, judged: Output) -> None:
    with pytest.raises(DataError) as error:
        stages.select(judged, {"use": "correct"}, {"use": "max-words", "limit": 1})
    assert "Stage select-1: the filters keep no trace of 30 examples (" in str(error.value)
    assert "max-words: every trace has more than 1 words: " in str(error.value)
    assert "correct: no correct trace: " in str(error.value)
    assert "Loosen the filters" in error.value.remedy


def test_a_filter_that_changes_answers_loses_the_rows(stages: Bench, judged: Output) -> None:
    with pytest.raises(
        DataError, match=r"30 x filter forger \(file:openvlt_fake\) failed in choose: it changed an answer"
    ):
        stages.select(judged, {"use": "forger"})


def test_a_filter_that_forgets_rows_loses_them(stages: Bench, judged: Output) -> None:
    with pytest.raises(DataError, match=r"lost 29 of 30 rows.*sluggard .* it made no decision on 29 rows"):
        stages.select(judged, {"use": "sluggard"})


def test_reasoning_may_be_rewritten(stages: Bench, judged: Output) -> None:
    chosen = stages.select(judged, {"use": "truncate-reflection", "phrases": ["chain"], "min_words": 1})
    before = [each.trace for row in judged.rows() for each in row.judged]
    after = [each.trace for row in chosen.rows() for each in row.judged]
    assert all("chain" not in trace.think for trace in after)
    assert [trace.answer for trace in after] == [trace.answer for trace in before]


def test_another_filter_asks_and_judges_nothing_anew(stages: Bench, judged: Output) -> None:
    first = stages.select(judged, {"use": "correct"})
    stages.asked()
    second = stages.select(judged, {"use": "correct"}, {"use": "unique"})
    assert second.record.fingerprint != first.record.fingerprint
    assert stages.select(judged, {"use": "correct"}).record.cached
    assert stages.asked() == []
