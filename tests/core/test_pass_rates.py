"""The share of correct samples that decides which examples reinforcement can learn from."""

from __future__ import annotations

from openvlt.pipeline.data_stages import pass_rates
from openvlt.records import Example, Judged, Row, Trace, Verdict

RIGHT, WRONG = Verdict.correct(), Verdict.incorrect()
UNDECIDED = Verdict.error("it failed")


def row(id: str, *verdicts: Verdict) -> Row:
    trace = Trace(raw="", think="", answer="")
    example = Example(id=id, question="", answer="", source="made")
    return Row(example=example, judged=tuple(Judged(trace=trace, verdicts={"answer": each}) for each in verdicts))


def test_an_error_of_a_verifier_is_no_wrong_sample() -> None:
    rows = [row("half", RIGHT, WRONG), row("shaken", RIGHT, UNDECIDED), row("open", UNDECIDED, UNDECIDED), row("none")]
    assert pass_rates(rows) == {"half": 0.5, "shaken": 1.0}
