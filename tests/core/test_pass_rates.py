"""The share of correct samples that decides which examples reinforcement can learn from."""

from __future__ import annotations

import pytest

from openvlt.records import Example, Judged, Trace, Verdict
from openvlt_plugins.facts.pass_rates import PassRate

RIGHT, WRONG = Verdict.correct(), Verdict.incorrect()
UNDECIDED = Verdict.error("it failed")


@pytest.mark.parametrize(
    ("verdicts", "rate"),
    [((RIGHT, WRONG), 0.5), ((RIGHT, UNDECIDED), 1.0), ((UNDECIDED, UNDECIDED), None), ((), None)],
)
def test_an_error_of_a_verifier_is_no_wrong_sample(verdicts: tuple[Verdict, ...], rate: float | None) -> None:
    trace = Trace(raw="", think="", answer="")
    judged = [Judged(trace=trace, verdicts={"answer": each}) for each in verdicts]
    assert PassRate().rate(Example(id="0", question="", answer=""), judged) == rate
