"""The card of a data set counts what was decided."""

from __future__ import annotations

import pytest

from openvlt.records import Example, Judged, Row, Trace, Verdict
from openvlt.report.card import Card

RIGHT, WRONG, FAILED = Verdict.correct(), Verdict.incorrect(), Verdict.error("the worker died")


def row(*verdicts: Verdict) -> Row:
    judged = (Judged(trace=Trace(think="so", answer="1", raw="so 1"), verdicts={"exact": each}) for each in verdicts)
    return Row(example=Example(id="1", question="What?", answer="1", source="sums"), judged=tuple(judged))


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([row(RIGHT, WRONG), row(WRONG, WRONG)], "| sums | 2 | 25.0% | 50.0% | 0 |"),
        ([row(RIGHT, FAILED), row(WRONG, WRONG)], "| sums | 2 | 33.3% | 50.0% | 1 |"),
        ([row(RIGHT, WRONG), row(WRONG, FAILED)], "| sums | 2 | 33.3% | 100.0% | 1 |"),
        ([row(RIGHT, WRONG), row(WRONG)], "| sums | 2 | 25.0% | 50.0% | 0 |"),
        ([row(FAILED, FAILED)], "| sums | 1 | undecided | undecided | 2 |"),
    ],
)
def test_a_failed_verifier_makes_a_sample_neither_right_nor_wrong(rows: list[Row], line: str) -> None:
    card = Card(name="sums", sources={}, components=[], models={}, prompts={}, stages=[], k=2)
    card.count(rows, [])
    assert line in card.text()
