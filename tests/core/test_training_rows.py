"""What a trainer is given of the rows of a stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from openvlt.errors import DataError
from openvlt.interfaces import Reads
from openvlt.records import Example, Format, Judged, Row, Trace, Verdict
from openvlt.stages.training_rows import RowsOnDisk, training_rows
from openvlt.store import StageFolder, encode

VERDICTS = {
    "right": Verdict.correct(), "wrong": Verdict.incorrect(), "unparsed": Verdict.unparsed("no answer"),
    "unanswered": Verdict.unparsed("no answer"), "failed": Verdict.error("the verifier failed"), "bad gold": Verdict.bad_gold("unreadable"),
}  # fmt: skip


def row(*traces: str) -> Row:
    """An example with one trace for each word, whose verdict begins with it: ``right 2``."""
    judged = (
        Judged(
            trace=Trace(think="", answer=None if name == "unanswered" else "", raw=name),
            verdicts={"answer": VERDICTS[name.rstrip(" 123")], "format": Verdict.scored(0.0)},
        )
        for name in traces
    )
    return Row(example=Example(id=" ".join(traces), question="?", answer="!"), judged=tuple(judged))


def given(reads: Reads, *traces: str) -> list[tuple[str, ...]]:
    return [tuple(trace.raw for trace in of_row) for _, of_row in training_rows([row(*traces)], reads)]


def test_an_example_comes_once_for_each_of_its_traces() -> None:
    assert given("traces", "right 1", "wrong", "right 2") == [("right 1",), ("wrong",), ("right 2",)]


@pytest.mark.parametrize(
    ("response", "target"),
    [
        (None, "<think></think>\n<answer>!</answer>"),
        ("<think>I look.</think><answer>4</answer>", "<think>I look.</think>\n<answer>4</answer>"),
        ("I look.", "<think>I look.</think>\n<answer>!</answer>"),
        ("2 + 2 is \\boxed{4}.", "<think>2 + 2 is</think>\n<answer>4</answer>"),
    ],
)
def test_a_ready_trace_is_the_response_of_an_example_or_its_gold_alone(response: str | None, target: str) -> None:
    example = Example(id="1", question="?", answer="!", metadata={"response": response} if response else {})
    ((_, (trace,)),) = training_rows([Row(example=example)], "traces", Format())
    assert Format().target(trace) == target


def test_rows_that_lost_their_traces_have_no_ready_ones() -> None:
    assert given("traces") == []


def test_a_trace_without_an_answer_is_no_target() -> None:
    assert given("traces", "unanswered", "right") == [("right",)]
    assert given("pairs", "unanswered", "right") == [("right", "unanswered")]
    with pytest.raises(ValueError, match="no target"):
        Format().target(Trace(think="", answer=None, raw=""))


def test_prompts_are_examples_alone_each_once() -> None:
    assert given("prompts", "right 1", "right 2") == [()]


def test_pairs_match_correct_traces_with_incorrect_ones_in_order_each_used_once() -> None:
    assert given("pairs", "wrong 1", "right 1", "unparsed", "right 2", "right 3") == [
        ("right 1", "wrong 1"), ("right 2", "unparsed"),
    ]  # fmt: skip
    assert given("pairs", "right 1", "right 2") == []
    assert given("pairs", "wrong 1", "wrong 2") == []


def test_a_trace_nobody_could_decide_is_neither_chosen_nor_rejected() -> None:
    assert given("pairs", "right", "failed", "bad gold") == []


@pytest.mark.parametrize("reads", ["traces", "pairs", "prompts"])
def test_rows_on_disk_are_those_of_the_stage_in_any_order(tmp_path: Path, reads: Reads) -> None:
    rows = [row("right 1", "wrong 1", "right 2"), row("wrong"), row("unanswered", "right", "right 1", "wrong")]
    (tmp_path / "rows.jsonl").write_bytes(b"".join(encode(each) + b"\n" for each in rows))
    found, expected = RowsOnDisk(StageFolder(tmp_path), reads), list(training_rows(rows, reads))
    assert list(found) == expected and len(found) == len(expected)
    examples = found.column(lambda each: each[0].id)
    order = [*range(len(found))][::-1]
    assert [found[index] for index in order] == expected[::-1]
    assert [examples[index] for index in order] == [example.id for example, _ in expected][::-1]
    assert examples[1:] == list(examples)[1:] and examples[-1] == expected[-1][0].id
    with pytest.raises(IndexError):
        examples[len(found)]


def test_rows_that_are_not_what_the_stage_wrote_are_refused(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    folder.rows_file.write_bytes(encode(row("right")) + b"\n" + b"{")
    with pytest.raises(DataError, match="line 2 cannot be read"):
        RowsOnDisk(folder, "prompts")
