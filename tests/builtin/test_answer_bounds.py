"""No answer takes more steps of the caller than a verdict may, and what would take more is left to a worker."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.verifier_bounds import Caller, claims
from benchmarks.verifier_pairs import pairs
from openvlt import AnswerVerifier, Claim, Example, Trace
from openvlt_plugins.answers import budget, reading
from openvlt_plugins.answers.answer import Answer
from openvlt_plugins.answers.lists import List
from openvlt_plugins.answers.math import Math
from openvlt_plugins.answers.multiple_choice import Choice
from openvlt_plugins.answers.number import Number
from openvlt_plugins.answers.reading import TieredVerifier
from openvlt_plugins.answers.relaxed import Relaxed

TIERED = [
    (Answer, "x^2-1", "(x+1)(x-1)", {}),
    (Math, "x^2-1", "(x+1)(x-1)", {}),
    (Number, "12", "3+4+5", {}),
    (Relaxed, "100", "50+50+1", {}),
    (List, "1, x^2-1", "1, (x+1)(x-1)", {}),
    (Choice, "B", "(x+1)(x-1)", {"choices": ("x^2+1", "x^2-1")}),
]
ROOTS = [f"\\sqrt{{{number}}}+x^2" for number in range(2, 62)]


def claim_of(gold: str, said: str, **known: Any) -> Claim:
    return Claim(
        trace=Trace(think="", answer=said, raw=said), example=Example(id="", question="", answer=gold, **known)
    )


def test_every_verifier_with_a_budget_is_here() -> None:
    assert {verifier for verifier, *_ in TIERED} == set(TieredVerifier.__subclasses__())


@pytest.mark.parametrize(("verifier", "gold", "said", "known"), TIERED)
def test_an_answer_over_the_budget_goes_to_a_worker(
    verifier: type[AnswerVerifier], gold: str, said: str, known: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claim_of(gold, said, **known)
    decided = verifier().quick(said, claim)
    assert decided is not None
    assert decided.status == "correct"
    monkeypatch.setattr(reading, "QUICK", 20)
    assert verifier().quick(said, claim) is None
    assert verifier().check(said, claim) == decided


def test_a_large_set_of_expressions_is_left_to_a_worker() -> None:
    gold, said = ("\\{" + ", ".join(items) + "\\}" for items in (ROOTS, [*ROOTS[:0:-1], "x^9"]))
    assert Math().quick(said, claim_of(gold, said)) is None


def test_the_limits_of_verdicts_within_each_other_hold_together() -> None:
    with budget.at_most(10), budget.at_most(100):
        budget.spend(10)
        with pytest.raises(budget.Exhausted):
            budget.spend()
    budget.spend(10**9)  # without a limit


def test_hostile_responses_take_little_of_the_callers_time() -> None:
    caller = Caller()
    slow = {
        (name, claim.response[:60]): seconds
        for claim in claims(25, seed=5)
        for name, seconds in caller.seconds(claim).items()
        if seconds > 2  # eight times the limit: of CPU time, which a busy machine hardly changes
    }
    assert slow == {}


def test_made_pairs_get_the_verdicts_they_are_made_for() -> None:
    wrong = []
    for pair in pairs(300, seed=11):
        claim = claim_of(pair.gold, pair.said, **pair.known)
        verdict = Answer().quick(pair.said, claim) or Answer().check(pair.said, claim)
        if (verdict.status == "correct") != pair.right:
            wrong.append((pair, verdict))
    assert wrong == []
