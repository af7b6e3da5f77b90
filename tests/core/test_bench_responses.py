"""Files of answers made elsewhere, in all the shapes they come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from openvlt.bench import replies
from openvlt.bench.layouts import LAYOUTS, Layout
from openvlt.errors import DataError, Reject
from openvlt.records import Rejected, Trace
from openvlt.store import encode


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def raw(text: str, answer: str | None = None, **rest: Any) -> Trace:
    return Trace(think="", answer=answer, raw=text, **rest)


def read_responses(path: Path, columns: dict[str, str] | None = None) -> dict[str, list[Trace | Rejected]]:
    """The responses to each question, by id."""
    found: dict[str, list[Trace | Rejected]] = {}
    for row in replies.read_responses(path, columns)[1]:
        for reply in row.replies:
            found.setdefault(row.id, []).append(reply)
    return found


def test_our_own_lines(tmp_path: Path) -> None:
    told = {"id": "1", "response": "so 3", "finish_reason": "length", "prompt_tokens": 10, "completion_tokens": 5}
    path = lines(tmp_path / "a.jsonl", told, {"id": 2, "response": ""})
    assert read_responses(path) == {
        "1": [raw("so 3", finish_reason="length", prompt_tokens=10, completion_tokens=5)],
        "2": [raw("")],
    }


def test_mathvista_results_carry_extractions(tmp_path: Path) -> None:
    rows = {
        "1": {"pid": "1", "response": "It is (C).", "extraction": "C"},
        "2": {"pid": "2", "response": "", "extraction": ""},
        "3": {"pid": "3", "response": "A list", "extraction": [2014, 2016]},
        "4": {"pid": "4", "response": "?", "extraction": None},
        "5": {"pid": "5", "response": "not extracted yet"},
        "6": {"pid": "6", "error": "the model failed"},
    }
    path = tmp_path / "output.json"
    path.write_text(json.dumps(rows))
    found = read_responses(path)
    assert found == {
        "1": [raw("It is (C).", "C")], "2": [raw("", "")], "3": [raw("A list", "[2014, 2016]")], "4": [raw("?", "None")],
        "5": [raw("not extracted yet")],
    }  # fmt: skip


def test_mathvista_submissions_are_bare_answers(tmp_path: Path) -> None:
    path = tmp_path / "submission.json"
    path.write_text(json.dumps({"1": "1.2", "2": "145°"}))
    assert read_responses(path) == {"1": [raw("1.2")], "2": [raw("145°")]}


def test_mathvision_results_are_read_again_from_the_response(tmp_path: Path) -> None:
    rows = ({"id": "1", "response": "(C)", "model_answer": "x"}, {"id": "2", "model_answer": "c"})
    assert read_responses(lines(tmp_path / "a.jsonl", *rows)) == {"1": [raw("(C)")], "2": [raw("", "c")]}


def test_vlmevalkit_tables(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for line in (("index", "question", "prediction"), (1, "?", "B"), (2, "?", None)):
        book.active.append(line)
    book.save(tmp_path / "model_MathVista_MINI.xlsx")
    assert read_responses(tmp_path / "model_MathVista_MINI.xlsx") == {"1": [raw("B")]}
    (tmp_path / "model.csv").write_text(",index,prediction\n0,1,x\n")
    assert read_responses(tmp_path / "model.csv") == {"1": [raw("x")]}
    (tmp_path / "model.tsv").write_text('index\tprediction\n1\t"two\nlines"\n')
    assert read_responses(tmp_path / "model.tsv") == {"1": [raw("two\nlines")]}


@pytest.mark.parametrize(
    "rows",
    [
        [{"id": 1, "response": "x"}, {"id": "2", "response": "z"}, {"id": "1", "response": "y"}],
        [{"id": 1, "response": ["x", "y"]}, {"id": 2, "response": ["z"]}],
        [{"example": {"id": "1"}, "judged": [{"trace": {"raw": "x"}}, {"trace": {"raw": "y"}}]},
         {"example": {"id": "2"}, "traces": [{"raw": "z"}]}],
    ],
    ids=["an id twice", "lists", "our own rows"],
)  # fmt: skip
def test_several_responses_to_a_question_are_its_samples(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    assert read_responses(lines(tmp_path / "a.jsonl", *rows)) == {"1": [raw("x"), raw("y")], "2": [raw("z")]}


def test_what_other_tools_could_not_get_is_failed_and_not_wrong(tmp_path: Path) -> None:
    rows = (
        {"index": 1, "prediction": "Failed to obtain answer via API. "},
        {"index": 2, "response": {"error": "429"}},
        {"index": 3, "prediction": "I failed to obtain it"},
    )
    found = read_responses(lines(tmp_path / "a.jsonl", *rows))
    assert [isinstance(each, Rejected) for (each,) in found.values()] == [True, True, False]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param('{"id": 1, "response": "x"}\n{"id": 2, "resp', r"a\.jsonl:2: this line is not JSON", id="broken"),
        pytest.param('{"id": 1, "response": "x"}\n[1]', r"a\.jsonl:2: this line is not a JSON object", id="no object"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=said):
        read_responses(path)


def test_a_duplicate_key_of_one_object_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"1": {"response": "x"}, "1": {"response": "y"}}')
    with pytest.raises(DataError, match="the key '1' is a duplicate"):
        read_responses(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_responses(tmp_path / "none.jsonl")


def test_half_of_an_emoji_is_written_out(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1\\ud83d", "response": "x \\ud83d"}')
    assert read_responses(tmp_path / "a.jsonl") == {"1\\ud83d": [raw("x \\ud83d")]}


PARTS = [{"type": "text", "text": "so "}, {"type": "reasoning", "reasoning": "1?"}, {"type": "text", "text": "3"}]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (None, []),
        ([], []),
        ("x", ["x"]),
        (12, ["12"]),
        (12.0, ["12"]),
        (["x", None, "y"], ["x", "y"]),
        ([["x"], ["y"]], ["x", "y"]),
        (PARTS, ["so 3"]),
        ([PARTS], ["so 3"]),
        ({"text": "x"}, ["x"]),
        ({"error": {"message": "429"}}, "the file has an error for a response: 429"),
        ({"role": "assistant", "content": "x"}, "the response is an object with the keys content, role, not a text"),
        ([{"type": "image", "image": "x"}], "the response is an object with the keys image, type, not a text"),
        ([1.5, False], "the response is a list with a float, not a text"),
        (["x", {"text": "y"}], "the response is a list with a dict, not a text"),
    ],
)
def test_only_texts_are_responses(value: Any, texts: list[str] | str) -> None:
    """Samples and parts are told apart, and nothing else becomes a text."""
    if isinstance(texts, list):
        assert replies.texts_of(value) == texts
    else:
        with pytest.raises(Reject, match=texts):
            replies.texts_of(value)


def places(layout: Layout) -> list[str]:
    """Every path of a layout."""
    fields = (
        getattr(layout, name)
        for name in layout.__dataclass_fields__
        if name not in ("name", "spelled", "blank", "shown")
    )
    return [
        path
        for value in fields
        for paths in (value if isinstance(value, tuple) else (value,))
        for path in paths.split("|")
        if path
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "type", "content", "message", "error"]), inner)
    ),
    max_leaves=6,
)


@given(data=st.data(), layout=st.sampled_from(LAYOUTS))
def test_any_value_at_any_place_is_a_response_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, layout: Layout
) -> None:
    row: dict[str, Any] = {}
    for path in places(layout):
        name, _, rest = path.partition(".")
        value = data.draw(VALUES)
        for step in reversed(rest.split(".") if rest else []):
            value = [value] if step == "*" else {step: value}
        row[name] = {**row[name], **value} if isinstance(value, dict) and isinstance(row.get(name), dict) else value
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text(json.dumps(row))
    for answered in replies.read_responses(path)[1]:
        assert all(isinstance(each, Trace | Rejected) and encode(each) for each in answered.replies)
