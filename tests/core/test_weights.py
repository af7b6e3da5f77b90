"""Which verifiers run on a claim, in which order, and what they count."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from openvlt.errors import UsageError
from openvlt.records import Claim, Example, Format, Trace, Verdict
from openvlt.registry import Registry
from openvlt.verification import Reward, VerifierRunner, Weights

UNPARSED, CORRECT = Verdict.unparsed("nothing"), Verdict.correct()
ONLY_OPEN = {"answer": 1.0}, {"open": {"judge": 1.0}}


@pytest.mark.parametrize(
    ("weights", "source", "found", "asks", "runs"),
    [
        (({"answer": 1.0, "judge": 0.3}, {}), "any", CORRECT, True, True),
        (({"judge": {"weight": 0.3, "when": "answer.unparsed"}}, {}), "any", CORRECT, False, False),
        (({"judge": {"weight": 0.3, "when": "answer.unparsed"}}, {}), "any", UNPARSED, False, True),
        (({"judge": {"weight": 0.0, "when": "answer.unparsed"}}, {}), "any", UNPARSED, True, True),
        (ONLY_OPEN, "open", CORRECT, True, True),
        (ONLY_OPEN, "closed", CORRECT, True, False),  # it costs, and nothing would count it
        (ONLY_OPEN, "closed", CORRECT, False, True),
        (({"answer": 1.0}, {}), "any", CORRECT, True, True),  # without any weight it is there for its verdicts
    ],
)
def test_where_a_verifier_runs(weights: Any, source: str, found: Verdict, asks: bool, runs: bool) -> None:
    assert Weights.of(*weights).run("judge", source, {"answer": found}, asks=asks) is runs


def test_what_a_training_needs() -> None:
    weights = Weights.of({"a": 0.0, "b": {"weight": 1.0, "when": "c.error"}}, {"some": {"d": 1.0}})
    assert [name for name in "abcde" if weights.needed(name)] == ["a", "b", "c", "d"]


def test_what_a_condition_leaves_out_adds_nothing() -> None:
    registry = Registry.discover()
    built = {name: registry.build("verifier", name) for name in ("answer", "format")}
    with VerifierRunner(built, format=Format()) as runner:
        reward = Reward(runner, {"answer": 1.0, "format": {"weight": 0.5, "when": "answer.correct"}})
        said = ("<think>so</think><answer>7</answer>", "<think>so</think><answer>8</answer>", "<answer>7</answer>")
        claims = [_claim(raw) for raw in said]
        rows = reward.score(claims)
    assert [row.reward for row in rows] == [1.5, 0.0, 1.0]
    assert [row.verdicts["format"].status for row in rows] == ["scored", "not_applicable", "scored"]
    assert runner.tallies["format"].concerns == []


def _claim(raw: str) -> Claim:
    from openvlt import Completion, parse

    trace: Trace = parse(Completion(text=raw), Format())
    return Claim(trace=trace, example=Example(id="1", question="?", answer="7"))


NAMES = tuple("abcdef")


@given(st.permutations(NAMES), st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=8))
def test_each_verifier_runs_after_those_it_waits_for(listed: list[str], pairs: list[tuple[str, str]]) -> None:
    waits = {max(pair): min(pair) for pair in pairs if pair[0] != pair[1]}  # never in a circle
    weights = Weights.of(
        {name: {"weight": 1.0, "when": f"{waits[name]}.error"} if name in waits else 1.0 for name in NAMES}, None
    )
    order = weights.order(listed)
    assert sorted(order) == sorted(NAMES) and all(order.index(of) < order.index(name) for name, of in waits.items())
    assert waits or order == listed
    weights.check(order)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": {"weight": 1, "when": "a.error"}}, "'a' cannot run before it"),
        ({"a": {"weight": 1, "when": "b.error"}, "b": {"weight": 1, "when": "a.error"}}, "'b' cannot run before it"),
        ({"a": {"weight": 1, "when": "g.error"}}, "'g' is not among the verifiers"),
        ({"a": {"weight": 1, "when": "b.odd"}, "b": 1.0}, "'odd' is no status of a verdict"),
        ({"g": 1.0}, "a weight for 'g', which is not among the verifiers"),
    ],
)
def test_a_weight_that_cannot_be_used_is_refused(weights: dict[str, Any], message: str) -> None:
    found = Weights.of(weights, None)
    with pytest.raises(UsageError, match=message):
        found.check(found.order(NAMES))


@pytest.mark.parametrize("weight", ["much", None, {"when": "a.error"}, {"weight": 1, "wen": "a.error"}, [1]])
def test_what_is_no_weight_is_refused(weight: Any) -> None:
    with pytest.raises(UsageError, match="The weight of 'a' is"):
        Weights.of({"a": weight}, None)
