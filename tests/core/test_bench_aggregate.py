"""From verdicts to accuracies: denominators, bounds, breakdowns, comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from openvlt.bench.aggregate import Item, rate, score_of, summarise
from openvlt.bench.compare import Flip, compare, versus
from openvlt.bench.definition import Definition
from openvlt.bench.protocols import expected_differences, protocol_differences
from openvlt.bench.questions import Questions, Responses
from openvlt.bench.result import Result
from openvlt.errors import UsageError
from openvlt.interfaces import Benchmark, Source
from openvlt.records import (
    Example,
    Format,
    Judged,
    Message,
    Protocol,
    Row,
    Sampling,
    Score,
    StageRecord,
    Trace,
    Verdict,
)
from openvlt.records.bench import UsedData, UsedModel, UsedPrompt
from openvlt.registry import Built
from openvlt.registry.entries import Entry
from openvlt.report.results import warnings
from openvlt.stages.workspace import Output
from openvlt.store import StageFolder, StageWriter

RIGHT, WRONG, OURS = Verdict.correct(tier="text"), Verdict.incorrect(), Verdict.error("endpoint down")
Make = Callable[..., Result]


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
    trace = Trace(
        think="", answer=answer, raw=answer or "", finish_reason="length" if cut else "stop", completion_tokens=int(id)
    )
    return Row(example=example, judged=(Judged(trace=trace, verdicts={"strict": verdict}),))


def score(rows: Sequence[Row], benchmark: Small | None = None) -> Score:
    return score_of(benchmark or Small(), [Item(row.example, row.judged[0].verdicts) for row in rows], "strict")


@pytest.fixture
def result(tmp_path: Path) -> Make:
    """Count judged rows into a result with a folder of its own."""

    def make(
        rows: Sequence[Row], benchmark: Small | None = None, model: str = "m", failed: Mapping[str, str] | None = None,
        temperature: float = 0.0,
    ) -> Result:  # fmt: skip
        folder = StageFolder(tmp_path / str(len(list(tmp_path.iterdir()))))
        writer = StageWriter(folder)
        for each in rows:
            writer.row(each)
        digest = writer.finish({})["digest"]
        made = Output(StageRecord(stage_kind="score", name="score", iteration=0, fingerprint=""), folder, digest)
        data = UsedData(revision="1", split="test", limit=None, content="0")
        responses = Responses(
            questions=Questions(made, tuple(each.example.id for each in rows), {}, data), output=made, failed=failed or {}, model=UsedModel(id=model),
            sampling=Sampling(temperature=temperature),
        )  # fmt: skip
        built = Built(
            benchmark or Small(), Entry(kind="benchmark", name="small", id="small", summary="", target=""), {}, ""
        )
        definition = Definition(
            name="small",
            benchmark=built,
            verifiers={
                "strict": Built(None, Entry(kind="verifier", name="answer", id="answer", summary="", target=""), {}, "")
            },
        )
        return Result(summarise(model, definition, responses, "tag", rows, Format()), folder)

    return make


def test_every_question_is_in_the_denominator() -> None:
    found = rate([[each] for each in (RIGHT, WRONG, Verdict.unparsed("nothing"), Verdict.timeout("response", "hung"))])
    assert (found.accuracy, found.correct, found.n, found.bounds) == (0.25, 1, 4, (0.25, 0.25))


def test_partial_credit_is_not_correct() -> None:
    assert rate([[Verdict.partial(0.9)], [RIGHT]]).correct == 1


def test_few_undecided_questions_widen_the_score() -> None:
    found = rate([[RIGHT]] * 50 + [[WRONG]] * 49 + [[OURS]])
    assert (found.accuracy, found.bounds, found.undecided) == (0.5, (0.5, 0.51), 1)


def test_many_undecided_questions_leave_no_headline() -> None:
    found = rate([[RIGHT]] * 50 + [[WRONG]] * 48 + [[OURS]] * 2)
    assert (found.accuracy, found.bounds) == (None, (0.5, 0.52))


VERDICTS = st.sampled_from([RIGHT, WRONG, OURS])


@given(st.lists(st.lists(VERDICTS, min_size=1, max_size=5), min_size=1, max_size=8), st.booleans())
def test_intervals_agree_with_what_is_open_and_with_each_other(verdicts: list[list[Verdict]], clustered: bool) -> None:
    """The interval holds both bounds and that of sampling alone, and nothing is definite where the accuracy is not."""
    of_questions = (
        [{"strict": each[0]} for each in verdicts],
        [tuple({"strict": v} for v in each[1:]) for each in verdicts],
    )
    items = [
        Item(Example(id=str(id), question="?", answer="x", metadata={"image": id // 2}), first, more)
        for id, (first, more) in enumerate(zip(*of_questions, strict=True))
    ]
    found = score_of(Small(clusters="image" if clustered else ""), items, "strict")
    low, high = found.ci95
    assert low <= found.bounds[0] + 1e-9 and high >= found.bounds[1] - 1e-9 and high > low
    if sampled := found.sampled:
        assert low <= sampled.samples95[0] <= sampled.samples95[1] <= high
        assert (sampled.majority is None) == (found.accuracy is None) == (not sampled.pass_at)
        assert (sampled.k, sampled.most) == (min(map(len, verdicts)), max(map(len, verdicts)))


def test_a_row_counts_once_for_each_of_its_skills() -> None:
    rows = [row("1", RIGHT, task="a", skills=["x", "y"]), row("2", WRONG, task="b", skills=["y"])]
    breakdown = score(rows).breakdown
    assert {value: (found.correct, found.n) for value, found in breakdown["skills"].items()} == {
        "x": (1, 1),
        "y": (1, 2),
    }
    assert breakdown["task"]["a"].accuracy == 1.0


def test_excluded_questions_are_only_in_the_breakdown() -> None:
    rows = [row("1", RIGHT, task="Text Only"), row("2", WRONG, task="Vision")]
    found = score(rows, Small(excluded_from_score={"task": "Text Only"}))
    assert (found.n, found.correct, found.breakdown["task"]["Text Only"].n) == (1, 0, 1)


def test_questions_of_one_image_widen_the_interval() -> None:
    rows = [row(str(i), RIGHT if i // 5 % 2 else WRONG, image=i // 5) for i in range(200)]
    alone, together = (score(rows, Small(clusters=key)).ci95 for key in ("", "image"))
    assert together[1] - together[0] > 1.8 * (alone[1] - alone[0])


def test_the_steps_that_decided_are_counted() -> None:
    assert score([row("1", RIGHT), row("2", WRONG)]).tiers == {"text": 1}


def test_truncated_answers_are_a_warning_above_five_percent(result: Make) -> None:
    few = result([row(str(i), WRONG, cut=i < 5) for i in range(100)])
    many = result([row(str(i), WRONG, cut=i < 6) for i in range(100)])
    assert not any("cut" in note for note in few.record.notes)
    assert any("6 of 100 responses were cut at the token limit" in note for note in many.record.notes)


def test_open_verdicts_are_explained(result: Make) -> None:
    rows = [row("1", OURS), row("2", OURS), row("3", Verdict.bad_gold("no number")), row("4", RIGHT), row("5", OURS)]
    notes = result(rows, failed={"5": "its image is broken"}).record.notes
    assert notes[0] == (
        "3 of 5 verdicts of 'strict' are open (2 x endpoint down, first on 1; 1 x no number, first on 3)"
    )
    assert "open" not in " ".join(result([row("1", RIGHT)]).record.notes)


def test_keys_that_no_question_has_are_told(result: Make) -> None:
    benchmark = Small(breakdown=("tusk",), clusters="imge", excluded_from_score={"version": "Text Only"})
    told = result([row("1", RIGHT, task="a")], benchmark).record.notes
    assert [note.split(";")[0] for note in told] == [
        "no question has the key 'tusk' of the benchmark's breakdown",
        "no question has the key 'imge' of the benchmark's clusters",
        "no question has the key 'version' of the benchmark's excluded_from_score",
    ]
    assert all("they have task" in note for note in told)


def test_unparsed_responses_are_a_warning_with_samples_above_five_percent(result: Make) -> None:
    def unread(id: str, text: str = "", cut: bool = False) -> Row:
        made = row(id, WRONG, None, cut)
        (judged,) = made.judged
        return replace(made, judged=(replace(judged, trace=replace(judged.trace, raw=text)),))

    read = [row(str(i), WRONG) for i in range(94)]
    assert result([*read, *(unread(str(i)) for i in range(94, 98))]).record.warnings == ()
    long = "so \x1b[2J\n\n" + "on and on " * 30
    (warning,) = result([*read, *(unread(str(i), long + str(i)) for i in range(94, 100))]).record.warnings
    assert warning.startswith('6 of 100 responses (6%) are unparsed and count as wrong, such as "... ')
    assert warning.count("on and on") >= 3 * 9 and "\n" not in warning and "--reading anywhere" in warning
    (warning,) = result([*read, *(unread(str(i), "\x1b[2J", cut=i > 95) for i in range(94, 100))]).record.warnings
    assert "\x1b" not in warning and '"\\u001b[2J"' in warning and "higher token limit" in warning
    assert warning.count('"') == 2  # what is the same is shown once
    (warning,) = result(
        [*read, *(unread(str(i), "<think> <answer>7</answer>") for i in range(94, 100))]
    ).record.warnings
    assert "leave a tag or box open" in warning and "--reading" not in warning


def test_a_run_warns_once_of_a_benchmark(result: Make) -> None:
    records = [result([row("1", RIGHT)], model="base").record]
    records += [result([row("1", WRONG, None)], model=model).record for model in ("sft-1", "grpo-1")]
    (warning,) = warnings(records)
    assert warning.startswith("small (grpo-1, and likewise sft-1): 1 of 1 responses (100%) are unparsed")
    assert warnings(records[:2]) == [f"small (sft-1): {records[1].warnings[0]}"]
    assert warnings(records[1:2]) == [*records[1].warnings] and warnings(records[:1]) == []


def test_a_comparison_pairs_by_id_and_lists_the_flips(result: Make) -> None:
    a = result([row("1", RIGHT, "p", task="t"), row("2", WRONG, "q", task="t"), row("3", WRONG), row("4", OURS)])
    b = result([row("4", RIGHT), row("2", RIGHT, "r"), row("1", WRONG, None), row("5", RIGHT)])
    found = compare(a, b)
    assert (found.n, found.only_a, found.only_b, found.undecided) == (2, 1, 1, 1)
    assert found.won == (Flip(id="2", gold="x", a="q", b="r"),)
    assert found.lost == (Flip(id="1", gold="x", a="p", b=None),)
    assert (found.accuracy, found.difference, found.p) == ((0.5, 0.5), 0.0, 1.0)
    assert found.breakdown["task"]["t"].n == 2


def test_categories_are_corrected_for_their_number(result: Make) -> None:
    rows = [(str(i), "a" if i < 12 else "b") for i in range(24)]
    a = result([row(id, WRONG, task=task) for id, task in rows])
    b = result([row(id, RIGHT if task == "a" else WRONG, task=task) for id, task in rows])
    found = compare(a, b).breakdown["task"]
    assert found["a"].p_holm == pytest.approx(2 * found["a"].p)
    assert found["b"].p_holm == 1.0


def test_unlike_protocols_are_refused_and_named(result: Make) -> None:
    a = result([row("1", RIGHT)])
    b = result([row("1", RIGHT)], temperature=0.7, model="other")
    with pytest.raises(UsageError, match=r"decoding\.temperature: 0\.0 and 0\.7") as caught:
        compare(a, b)
    assert "model" not in str(caught.value)
    assert compare(a, b, force=True).protocol_differences == ("decoding.temperature: 0.0 and 0.7",)


BASE = Protocol(
    benchmark="b", data=UsedData(revision="1", split="test", limit=None, content="0"), model=UsedModel(id="m"),
    prompt=UsedPrompt(asked="base", digest="1"), decoding=Sampling(), extraction="whole", scoring={},
)  # fmt: skip
TRAINED = replace(BASE, prompt=UsedPrompt(asked="trained", digest="2", format=Format(suffix="x")), extraction="tag")
FILE = replace(BASE, prompt=UsedPrompt(), decoding=None)
BASELINE = replace(BASE, prompt=UsedPrompt(asked="none", digest="none"), decoding=None, extraction="stored")


@pytest.mark.parametrize(
    ("a", "b", "unlike", "by_design"),
    [
        (BASE, BASE, [], []),
        (BASE, TRAINED, [], ["prompt", "extraction"]),
        (BASE, replace(TRAINED, decoding=Sampling(max_tokens=9)), ["decoding.max_tokens"], ["prompt", "extraction"]),
        (BASE, replace(TRAINED, extraction="phrase"), ["extraction"], ["prompt"]),
        (TRAINED, replace(TRAINED, prompt=UsedPrompt(asked="trained", digest="3")), ["prompt.digest", "prompt.format.suffix"], []),
        (FILE, TRAINED, [], ["prompt", "extraction", "decoding"]),
        (FILE, replace(FILE, extraction="stored"), ["extraction"], []),
        (BASELINE, TRAINED, [], ["prompt", "extraction", "decoding"]),
        (BASE, replace(BASE, data=UsedData(revision="2", split="dev", limit=3, content="1")), [], []),
    ],
)  # fmt: skip
def test_what_differs_by_design_is_no_other_protocol(
    a: Protocol, b: Protocol, unlike: list[str], by_design: list[str]
) -> None:
    for this, that in ((a, b), (b, a)):
        assert [each.split(":")[0] for each in protocol_differences(this, that)] == unlike
        assert [each.split(":")[0] for each in expected_differences(this, that)] == by_design


def test_other_questions_are_refused_by_id(result: Make) -> None:
    a = result([row(str(number), RIGHT) for number in range(6)])
    other = [row(str(number), WRONG) for number in range(2, 9)]
    other[0] = replace(other[0], example=replace(other[0].example, question="Another?"))
    b = result(other)
    data = replace(b.record.protocol.data, content="1", limit=7)
    b = replace(b, record=replace(b.record, protocol=replace(b.record.protocol, data=data)))
    with pytest.raises(UsageError) as caught:
        compare(a, b)
    for told in (
        "B lacks 2 of A, such as 0, 1;",
        "A lacks 3 of B, such as 6, 7, 8;",
        "1 have another text",
        "the 4 of both",
    ):
        assert told in str(caught.value)
    forced = compare(a, b, force=True)
    assert (forced.n, forced.only_a, forced.only_b, len(forced.protocol_differences)) == (4, 2, 3, 3)


def test_other_benchmarks_and_other_questions_are_refused(result: Make) -> None:
    a, b = result([row("1", RIGHT)]), result([row("2", RIGHT)])
    with pytest.raises(UsageError, match="share no question"):
        compare(a, b)
    with pytest.raises(UsageError, match="no scoring 'loose'"):
        compare(a, a, "loose")


def test_a_difference_counts_what_both_decided_and_what_is_scored(result: Make) -> None:
    benchmark = Small(clusters="image", excluded_from_score={"task": "excluded"})
    a = result(
        [*(row(str(i), WRONG, image=i // 5) for i in range(50)), row("60", OURS), row("61", WRONG, task="excluded")],
        benchmark,
    )
    b = result(
        [
            *(row(str(i), RIGHT if i // 5 % 2 else WRONG, image=i // 5) for i in range(50)),
            row("60", RIGHT),
            row("61", RIGHT, task="excluded"),
        ],
        benchmark,
    )
    found = versus(a.rows(), b.rows(), b.record)
    alone = versus(a.rows(), b.rows(), replace(b.record, clusters=""))
    assert found.difference == alone.difference == 0.5
    assert found.high - found.low > 1.8 * (alone.high - alone.low)
    assert versus(b.rows(), b.rows(), b.record) == (0.0, 0.0, 0.0)
    assert compare(a, b).difference == 0.5


def test_what_failed_has_no_part_in_the_figures_of_the_replies(result: Make) -> None:
    rows = [row("1", WRONG, None), row("2", OURS, None), row("4", RIGHT)]
    record = result(rows, failed={"2": "endpoint down"}).record
    assert (record.n, record.unparsed, record.mean_tokens, record.failed) == (3, 1, 2.5, {"2": "endpoint down"})
    assert (record.accuracy, record.score.bounds) == (None, (1 / 3, 2 / 3))
    assert record.notes[0] == "1 of 3 questions failed and leave the score open (1 x endpoint down)"
    shown = record.as_json()
    assert (shown["accuracy"], shown["correct"], shown["n"]) == (None, 1, 3)
    assert shown["breakdown"] == shown["scores"]["strict"]["breakdown"]


def test_no_question_is_no_score(result: Make) -> None:
    record = result([]).record
    assert (record.n, record.accuracy, record.score.bounds, record.unparsed) == (0, None, (0.0, 1.0), 0)


def test_a_figure_that_is_not_finite_is_left_out() -> None:
    class Undefined(Small):
        def aggregate(self, rows: Any) -> Mapping[str, float]:
            return {"kappa": float("nan"), "share": 0.5}

    assert score_of(Undefined(), [], "strict").figures == {"share": 0.5}
