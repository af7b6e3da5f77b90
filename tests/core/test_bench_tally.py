"""From verdicts to accuracies: denominators, bounds, breakdowns, comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from openvlt.bench.compare import compare
from openvlt.bench.result import Result, summarise
from openvlt.bench.tally import rate, tally
from openvlt.errors import UsageError
from openvlt.interfaces import Benchmark, Source
from openvlt.records import Example, Format, Judged, Message, Row, Trace, Verdict

RIGHT, WRONG, OURS = Verdict.correct(tier="text"), Verdict.incorrect(), Verdict.error("endpoint down")


class Nothing(Source):
    def examples(self, split: str) -> Iterator[Example]:
        yield from ()


@dataclass(frozen=True)
class Small(Benchmark):
    source: Source = field(default_factory=Nothing)
    split: str = "test"
    scorings: Mapping[str, str] = field(default_factory=lambda: {"strict": "answer"})
    breakdown: tuple[str, ...] = ("task", "skills")
    clusters: str = ""
    excluded_from_score: Mapping[str, str] = field(default_factory=dict)

    def messages(self, example: Example, format: Format) -> list[Message]:
        return [Message.user(example.question)]


def row(id: str, verdict: Verdict, answer: str | None = "x", cut: bool = False, **metadata: Any) -> Row:
    example = Example(id=id, question="?", answer="x", metadata=metadata)
    trace = Trace(think="", answer=answer, raw=answer or "", finish_reason="length" if cut else "stop")
    return Row(example=example, judged=(Judged(trace=trace, verdicts={"strict": verdict}),))


def result(rows: Sequence[Row], benchmark: Small | None = None, **protocol: Any) -> Result:
    told = {"model": {"id": "m"}, "decoding": {"temperature": 0.0}, **protocol}
    return summarise(
        "small", benchmark or Small(), rows, told, scorings=["strict"], unanswered=[], failed={}, left_out={},
        seconds=1.0, notes=[],
    )  # fmt: skip


def test_every_question_is_in_the_denominator() -> None:
    found = rate([RIGHT, WRONG, Verdict.unparsed("nothing"), Verdict.timeout("response", "hung")])
    assert (found["accuracy"], found["correct"], found["n"], found["bounds"]) == (0.25, 1, 4, [0.25, 0.25])


def test_partial_credit_is_not_correct() -> None:
    assert rate([Verdict.partial(0.9), RIGHT])["correct"] == 1


def test_few_failures_of_ours_widen_the_score() -> None:
    found = rate([RIGHT] * 50 + [WRONG] * 49 + [OURS])
    assert (found["accuracy"], found["bounds"], found["undecided"]) == (0.5, [0.5, 0.51], 1)


def test_many_failures_of_ours_leave_no_headline() -> None:
    found = rate([RIGHT] * 50 + [WRONG] * 48 + [OURS] * 2)
    assert (found["accuracy"], found["bounds"]) == (None, [0.5, 0.52])


def test_a_row_counts_once_for_each_of_its_skills() -> None:
    rows = [row("1", RIGHT, task="a", skills=["x", "y"]), row("2", WRONG, task="b", skills=["y"])]
    breakdown = tally(Small(), rows, "strict")["breakdown"]
    assert {value: (found["correct"], found["n"]) for value, found in breakdown["skills"].items()} == {
        "x": (1, 1),
        "y": (1, 2),
    }
    assert breakdown["task"]["a"]["accuracy"] == 1.0


def test_questions_beside_the_score_are_only_in_the_breakdown() -> None:
    rows = [row("1", RIGHT, task="Text Only"), row("2", WRONG, task="Vision")]
    found = tally(Small(excluded_from_score={"task": "Text Only"}), rows, "strict")
    assert (found["n"], found["correct"], found["breakdown"]["task"]["Text Only"]["n"]) == (1, 0, 1)


def test_questions_of_one_image_widen_the_interval() -> None:
    rows = [row(str(i), RIGHT if i // 5 % 2 else WRONG, image=i // 5) for i in range(200)]
    alone, together = (tally(Small(clusters=key), rows, "strict")["ci95"] for key in ("", "image"))
    assert together[1] - together[0] > 1.8 * (alone[1] - alone[0])


def test_the_steps_that_decided_are_counted() -> None:
    assert tally(Small(), [row("1", RIGHT), row("2", WRONG)], "strict")["tiers"] == {"text": 1}


def test_truncated_answers_are_a_warning_above_five_percent() -> None:
    few = result([row(str(i), WRONG, cut=i < 5) for i in range(100)])
    many = result([row(str(i), WRONG, cut=i < 6) for i in range(100)])
    assert few.told["notes"] == []
    assert "6 of 100 answers were cut at the token limit" in many.told["notes"][0]


def test_a_comparison_pairs_by_id_and_lists_the_flips() -> None:
    a = result([row("1", RIGHT, "p", task="t"), row("2", WRONG, "q", task="t"), row("3", WRONG), row("4", OURS)])
    b = result([row("4", RIGHT), row("2", RIGHT, "r"), row("1", WRONG, None), row("5", RIGHT)])
    found = compare(a, b)
    assert (found["n"], found["only_a"], found["only_b"], found["undecided"]) == (2, 1, 1, 1)
    assert found["won"] == [{"id": "2", "gold": "x", "a": "q", "b": "r"}]
    assert found["lost"] == [{"id": "1", "gold": "x", "a": "p", "b": None}]
    assert (found["difference"], found["p"]) == (0.0, 1.0)
    assert found["breakdown"]["task"]["t"]["n"] == 2


def test_categories_are_corrected_for_their_number() -> None:
    rows = [(str(i), "a" if i < 12 else "b") for i in range(24)]
    a = result([row(id, WRONG, task=task) for id, task in rows])
    b = result([row(id, RIGHT if task == "a" else WRONG, task=task) for id, task in rows])
    found = compare(a, b)["breakdown"]["task"]
    assert found["a"]["p_holm"] == pytest.approx(2 * found["a"]["p"])
    assert found["b"]["p_holm"] == 1.0


def test_unlike_protocols_are_refused_and_named() -> None:
    a = result([row("1", RIGHT)])
    b = result([row("1", RIGHT)], decoding={"temperature": 0.7}, model={"id": "other"})
    with pytest.raises(UsageError, match=r"decoding\.temperature: 0\.0 and 0\.7") as caught:
        compare(a, b)
    assert "model" not in str(caught.value)
    assert compare(a, b, force=True)["protocol_differences"] == ["decoding.temperature: 0.0 and 0.7"]


def test_other_benchmarks_and_other_questions_are_refused() -> None:
    a, b = result([row("1", RIGHT)]), result([row("2", RIGHT)])
    with pytest.raises(UsageError, match="share no question"):
        compare(a, b)
    with pytest.raises(UsageError, match="no scoring 'loose'"):
        compare(a, a, "loose")
