"""Answers to a benchmark, and the score that is counted from them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made import Bench

from openvlt import Completion, Example, Format, Judged, Model, Sampling, Trace, Verdict
from openvlt.bench.measure import measure, versus
from openvlt.errors import RemoteError
from openvlt.records import Row
from openvlt.stages.answer import answer, guess, questions, read_bare
from openvlt.stages.workspace import Output


def ask(stages: Bench, *, base: bool, n: int = 12) -> Output:
    benchmark = stages.build("benchmark", "made", n=n)
    model = stages.workspace.resolve(Model(id=str(stages.model), backend="fake"))
    asked = questions(stages.workspace, benchmark)
    return answer(stages.workspace, "bench-made", 0, asked, benchmark, model, Sampling(max_tokens=32), base=base)


@pytest.mark.parametrize("base", [True, False])
def test_every_question_is_answered_in_its_place(stages: Bench, base: bool) -> None:
    answered = ask(stages, base=base)
    rows = list(answered.rows())
    assert [row.example.id for row in rows] == [f"test/{index}" for index in range(12)]
    assert all(trace.answer is not None and trace.answer.isdigit() for row in rows for trace in row.traces)
    ends = "\nAnswer with one number." if base else Format().suffix
    assert all(asked["text"].endswith(ends) for asked in stages.asked())


def test_a_question_that_cannot_be_asked_keeps_its_place_and_is_counted(
    stages: Bench, fake: Callable[..., None]
) -> None:
    fake(over_long=0.3)
    answered = ask(stages, base=False, n=40)
    rows = list(answered.rows())
    silent = [row for row in rows if row.traces[0].answer is None]
    assert len(rows) == 40
    assert 3 < len(silent) < 25
    assert answered.record.rejected == {"prompt over-long": len(silent)}
    score = measure(stages.verify(answered, exact={"use": "answer"}).rows(), "base", "made", "exact", "", 0.0).score
    assert (score.n, score.unparsed) == (40, len(silent) / 40)


def test_an_endpoint_that_is_down_is_never_a_wrong_answer(stages: Bench, fake: Callable[..., None]) -> None:
    fake(down=0.3)
    with pytest.raises(RemoteError, match="endpoint down"):
        ask(stages, base=False, n=40)
    fake()
    assert all(row.traces[0].answer is not None for row in ask(stages, base=False, n=40).rows())


def test_a_guesser_answers_without_a_model(stages: Bench) -> None:
    benchmark = stages.build("benchmark", "made", n=12)
    asked = questions(stages.workspace, benchmark)
    (name, guesser), *_ = benchmark.component.baselines().items()
    guessed = guess(stages.workspace, "bench-made-blind", asked, benchmark, name, guesser)
    assert [row.traces[0].answer for row in guessed.rows()] == ["7"] * 12
    assert stages.asked() == []


@pytest.mark.parametrize(
    ("text", "finish", "read"),
    [
        ("red", "stop", "red"),
        ("  red.\n", "stop", "red."),
        ("<think>so</think><answer>blue</answer>", "stop", "blue"),
        (r"thus \boxed{7}", "stop", "7"),
        ("<think>so</think><answer>blue", "stop", None),
        ("<answer></answer>", "stop", None),
        ("", "stop", None),
        ("it goes on and", "length", None),
    ],
)
def test_a_bare_answer_is_the_whole_reply(text: str, finish: str, read: str | None) -> None:
    assert read_bare(Completion(text=text, finish_reason=finish), Format()).answer == read  # type: ignore[arg-type]


def judged(*outcomes: str, kinds: str = "") -> list[Row]:
    found = {"c": Verdict.correct(), "i": Verdict.incorrect(), "p": Verdict.partial(0.9), "e": Verdict.error("ours")}
    found["u"] = Verdict.unparsed("no answer")
    return [
        Row(
            example=Example(id=str(index), question="", answer="", metadata={"kind": kind}),
            judged=(
                Judged(
                    trace=Trace(think="", answer=None if outcome == "u" else "x", raw="", completion_tokens=index),
                    verdicts={"exact": found[outcome], "loose": Verdict.correct()},
                ),
            ),
        )
        for index, (outcome, kind) in enumerate(zip(outcomes, kinds or "a" * len(outcomes), strict=True))
    ]


def test_a_score_counts_every_question() -> None:
    score = measure(judged(*"ccipeu", kinds="aabbab"), "base", "made", "exact", "kind", 1.5).score
    assert (score.correct, score.n, score.accuracy) == (2, 6, 2 / 6)
    assert (score.unparsed, score.mean_tokens, score.seconds) == (1 / 6, 2.5, 1.5)
    assert {name: (rate.correct, rate.n) for name, rate in score.by_kind.items()} == {"a": (2, 3), "b": (0, 3)}
    low, high = score.ci95
    assert 0 < low < 2 / 6 < high < 1


def test_the_named_scoring_is_the_headline() -> None:
    assert measure(judged(*"iii"), "base", "made", "loose", "", 0.0).score.accuracy == 1.0


def test_models_are_compared_question_by_question() -> None:
    before = measure(judged(*"iiiiiiiiiiiiiiiicccc"), "base", "made", "exact", "", 0.0)
    after = measure(judged(*"cccccccccciiiiiicccc"), "grpo-1", "made", "exact", "", 0.0)
    difference, low, high = versus(after, {"base": before}).score.versus["base"]
    assert difference == pytest.approx(0.5)
    assert 0 < low < 0.5 < high < 1
    assert versus(after, {"itself": after}).score.versus["itself"] == (0.0, 0.0, 0.0)


def test_no_question_is_no_score() -> None:
    score = measure([], "base", "made", "exact", "kind", 0.0).score
    assert (score.n, score.accuracy, score.unparsed) == (0, 0.0, 0.0)
