"""Whatever stands in a column of somebody else's data set, each row gets a verdict or is not scored."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import openvlt
from openvlt.integrations.claims import claim_of

RIGHT = "<think>so</think><answer>7</answer>"
FORMAT = openvlt.Format()

text = st.text(st.characters(codec=None, exclude_categories=()), max_size=40) | st.sampled_from(["\ud800", "\x00", "7"])
scalars = (
    st.builds(pow, st.just(10), st.just(10_000)) | st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.datetimes() | st.binary(max_size=20) | text
    | st.sampled_from([
        Decimal("sNaN"), datetime.date(2024, 1, 1), object(), np.float32("nan"), np.int64(7), np.str_("7"),
        np.bool_(True), np.datetime64("NaT"), np.array(7), np.array([]), np.array([[1, 2], [3, 4]]),
        np.array(["7", None], dtype=object), np.array([b"7"]),
    ])
)  # fmt: skip
cells = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)


@pytest.mark.parametrize("column", ["id", "question", "choices", "unit", "source"])
@pytest.mark.parametrize("value", ["\ud800", {"\ud800": 1}, ["\ud800", "b"]])
def test_a_lone_surrogate_in_any_column_reaches_the_workers(column: str, value: Any) -> None:
    [row] = REWARD.score([claim_of(RIGHT, Decimal("Infinity"), {column: value}, FORMAT)])
    assert row.verdicts["answer"].status in {"incorrect", "bad_gold"}


@settings(max_examples=300, deadline=None)
@given(gold=cells, known=st.fixed_dictionaries({}, optional=dict.fromkeys(
    ["id", "question", "choices", "answer_type", "precision", "unit", "source", "other"], cells)))  # fmt: skip
def test_any_cell_gives_a_verdict(gold: Any, known: dict[str, Any]) -> None:
    columns = {name: [value] for name, value in known.items()}
    [row] = REWARD.score([claim_of(RIGHT, gold, known, FORMAT)])
    assert row.verdicts["answer"].status in {"correct", "incorrect", "bad_gold", "unparsed", "partial", "timeout"}
    assert row.verdicts["answer"].cause != "system"
    assert REWARD(prompts=[gold], completions=[RIGHT], answer=[gold], **columns) == [row.reward]
    scores = openvlt.compute_score(known.get("source"), RIGHT, gold, known)
    assert scores["unscored"] == float(row.verdicts["answer"].score is None)


REWARD = openvlt.reward({"answer": 1.0, "format": 0.5}, workers=1)


@settings(max_examples=200, deadline=None)
@given(response=cells, prompt=cells, extra=cells)
def test_any_response_gives_a_score(response: Any, prompt: Any, extra: Any) -> None:
    if not (isinstance(response, list) and response and all(isinstance(each, int | np.integer) for each in response)):
        assert len(REWARD(prompts=[prompt], completions=[response], answer=["7"])) == 1
    assert 0 <= openvlt.compute_score("data", response, "7", extra)["score"] <= 1
    rows = [{"response": response, "ground_truth": extra}, extra]
    assert (
        len(openvlt.compute_score(rows))
        == len(openvlt.compute_score(reward_inputs=np.array([*rows, None], dtype=object))) - 1
    )


@pytest.mark.parametrize("choices", [
    ["red", "blue"], ("red", "blue"), np.array(["red", "blue"]), np.array(["red", "blue"], dtype=object),
    "['red', 'blue']", '["red", "blue"]', {"A": "red", "B": "blue"},
])  # fmt: skip
def test_choices_are_read_in_any_form(choices: Any) -> None:
    assert REWARD(completions=["<answer>B</answer>"], answer=["blue"], choices=[choices]) == [1.0]


@pytest.mark.parametrize("precision", [1, 1.0, "1", np.int64(1), np.float32(1), np.array(1)])
def test_precision_is_read_in_any_form(precision: Any) -> None:
    claim = claim_of("<answer>1.24</answer>", np.float64(1.2), {"precision": precision}, FORMAT)
    assert REWARD.score([claim])[0].verdicts["answer"].status == "correct"


@pytest.mark.parametrize("precision", [-1, 10**9, "many", float("inf"), 10**400, [1], None])
def test_a_precision_that_is_none_counts_as_unknown(precision: Any) -> None:
    assert claim_of("", "", {"precision": precision}, FORMAT).example.precision is None


@pytest.mark.parametrize("column", [tuple, np.array, lambda values: {str(i): v for i, v in enumerate(values)}.values()])
def test_columns_are_read_from_any_container(column: Any) -> None:
    responses = ["<answer>1</answer>", "<answer>2</answer>"]
    assert REWARD(prompts=column(["a", "b"]), completions=column(responses), answer=column(["1", "3"])) == [1.0, 0.0]


def test_token_ids_are_read_from_arrays() -> None:
    class Letters:
        def decode(self, ids: list[int], **_: Any) -> str:
            return "".join(map(chr, ids))

    reward = openvlt.reward("answer", tokenizer=Letters())
    ids = np.array(list(map(ord, RIGHT)))
    assert reward(completions=[ids], answer=["7"]) == reward(completions=ids[None], answer=["7"]) == [1.0]


def test_deep_nesting_is_no_error() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert REWARD(prompts=[deep], completions=[deep], answer=[deep], choices=[deep]) == [0.0]


def test_an_unknown_answer_type_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """It may be a misspelt one, which would make every reward 0 without a word."""
    for _ in range(2):
        score = openvlt.reward("answer")
        assert score(completions=[RIGHT] * 2, answer=["7"] * 2, answer_type=["integr", "integer"]) == [1.0, 1.0]
    assert [record.getMessage().partition(" is none of")[0] for record in caplog.records] == ["answer_type 'integr'"]
