"""LLaVA-OneVision-Data: turns taken apart, local copies, and a hub that cannot be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openvlt import DataError, Example, Reject, Rejected
from openvlt.records import NewImage
from openvlt_plugins.llava_onevision.source import LlavaOneVision
from openvlt_plugins.llava_onevision.turns import gold_answer, split_question

HINT = "<image>\nHint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end."


@pytest.mark.parametrize(
    ("turn", "question", "choices"),
    [
        (f"{HINT}\nQuestion: Is Red the highest?\nChoices:\n(A) no\n(B) yes", "Is Red the highest?", ("no", "yes")),
        (
            "<image>\nFirst perform reasoning, then finally select the answer, e.g., Answer: xxx.\n"
            "Question: Does y equal 24?\nChoices:\nA. Yes\nB. No",
            "Does y equal 24?",
            ("Yes", "No"),
        ),
        (
            "<image>\nHint: Please answer the question and provide the final answer at the end.\nQuestion: How many?",
            "How many?",
            (),
        ),
        ("<image>\nWhat is shown?\nAnswer the question using a single word or phrase.", "What is shown?", ()),
        (
            "What part is C?\nOptions:\nA. leaf\nB. root\nC. stem\nAnswer with the option's letter from the given "
            "choices directly.\n<image>",
            "What part is C?",
            ("leaf", "root", "stem"),
        ),
        ("<image>Find x.\nChoices: (A) 3 (B) 4.5 (C) 6", "Find x.", ("3", "4.5", "6")),
        ("<image>Points lie as follows.\nA. left\nC. right\nWhere is B?", None, ()),
        ("<image>q?", "q?", ()),
        ("<image>\nGiven the table.\n\nHow much is left?", "Given the table.\nHow much is left?", ()),
    ],
)
def test_human_turns_are_taken_apart(turn: str, question: str | None, choices: tuple[str, ...]) -> None:
    whole = "Points lie as follows.\nA. left\nC. right\nWhere is B?"
    assert split_question(turn) == (question or whole, choices)


def test_a_turn_that_asks_nothing_is_rejected() -> None:
    with pytest.raises(Reject, match="has no question"):
        split_question("<image>\nHint: Please answer the question.")


@pytest.mark.parametrize(
    ("reply", "choices", "expected"),
    [
        ("The answer is $38.51", (), "$38.51"),
        ("The answer is B", ("no", "yes"), "B"),
        ("(B) yes", ("no", "yes"), "B"),
        ("yes", ("no", "yes"), "yes"),
        ("A", ("no", "yes"), "A"),
        ("Halving gives 24. So the answer is A\nAnswer: A", ("Yes", "No"), "A"),
        ("Cylindrical.", (), "Cylindrical"),
        ("The correct answer is: 7.5", (), "7.5"),
        ("Answer: No.", (), "No"),
    ],
)
def test_the_gold_is_found_in_the_reply(reply: str, choices: tuple[str, ...], expected: str) -> None:
    assert gold_answer(reply, choices) == expected


def test_prose_is_no_gold() -> None:
    with pytest.raises(Reject, match="at most 25 words"):
        gold_answer("word " * 26, ())
    with pytest.raises(Reject, match="empty"):
        gold_answer("The answer is .", ())


def row(human: str, reply: str, **fields: Any) -> dict[str, Any]:
    turns = [{"from": "human", "value": human}, {"from": "gpt", "value": reply}]
    return {"id": "r", "image": {"bytes": b"png", "path": None}, "conversations": turns, "data_source": "x", **fields}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    import pyarrow
    from pyarrow import parquet

    more = [{"from": "human", "value": "And now?"}, {"from": "gpt", "value": "No"}]
    first = row("<image>\nQuestion: Is it red?", "The answer is Yes")
    rows = {
        "FigureQA(MathV360K)": [
            {**first, "conversations": first["conversations"] + more},
            row("<image>Which?\nA. one\nB. two", "B", image=None),
            row("<image>Which?", "B", conversations=[{"from": "human", "value": "?"}]),
        ],
        "GEOS(MathV360K)": [row(f"{HINT}\nQuestion: Find x.\nChoices:\n(A) 3\n(B) 4", "The answer is A")],
    }
    for config, content in rows.items():
        (tmp_path / config).mkdir()
        parquet.write_table(pyarrow.Table.from_pylist(content), tmp_path / config / "train-0.parquet")
    return tmp_path


def test_a_local_copy_gives_one_example_a_row(copy: Path) -> None:
    source = LlavaOneVision(configs=("FigureQA(MathV360K)", "GEOS(MathV360K)"), data=str(copy))
    first, no_image, no_reply, choice = source.examples("train")
    assert isinstance(first, Example)
    assert (first.id, first.question, first.answer) == ("FigureQA(MathV360K)/0", "Is it red?", "Yes")
    assert (first.answer_type, first.metadata["data_source"]) == ("yes_no", "FigureQA(MathV360K)")
    assert [image.origin for image in first.images if isinstance(image, NewImage)] == [b"png"]
    assert no_image == Rejected(id="FigureQA(MathV360K)/1", reason="there is no image")
    assert no_reply == Rejected(id="FigureQA(MathV360K)/2", reason="no human turn with a reply")
    assert isinstance(choice, Example)
    assert (choice.choices, choice.answer, choice.answer_type) == (("3", "4"), "A", "choice")


def test_rows_of_a_config_can_be_limited(copy: Path) -> None:
    source = LlavaOneVision(configs=("FigureQA(MathV360K)", "GEOS(MathV360K)"), data=str(copy), per_config=1)
    assert [item.id for item in source.examples("train")] == ["FigureQA(MathV360K)/0", "GEOS(MathV360K)/0"]


def test_the_rows_of_the_hub_are_published_and_those_of_a_copy_are_not(copy: Path) -> None:
    configs = ("FigureQA(MathV360K)", "GEOS(MathV360K)")
    assert LlavaOneVision(configs=configs).size_at_most("train") == 17_587 + 498
    assert LlavaOneVision(configs=configs, per_config=1000).size_at_most("train") == 1000 + 498
    assert LlavaOneVision(configs=(*configs, "unlisted")).size_at_most("train") is None
    assert LlavaOneVision(configs=(*configs, "unlisted"), per_config=1000).size_at_most("train") == 2000 + 498
    assert LlavaOneVision(configs=configs).size_at_most("test") is None
    assert LlavaOneVision(configs=configs, data=str(copy)).size_at_most("train") is None
    assert LlavaOneVision(configs=configs, data=str(copy), per_config=1000).size_at_most("train") == 2000
    assert LlavaOneVision(configs=configs).metadata_values("data_source") == configs


def test_errors_say_what_to_do(copy: Path) -> None:
    with pytest.raises(DataError, match="List them"):
        LlavaOneVision()
    with pytest.raises(DataError, match="absent has no Parquet file"):
        list(LlavaOneVision(configs=("absent",), data=str(copy)).examples("train"))


def test_a_hub_that_cannot_be_reached_is_a_data_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def unreachable(*args: object, **options: object) -> None:
        raise ConnectionError("Couldn't reach the hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(DataError, match="local copy"):
        list(LlavaOneVision(configs=("GEOS(MathV360K)",)).examples("train"))
