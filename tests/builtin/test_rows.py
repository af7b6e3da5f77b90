"""Local rows: formats, columns, images, and what is said of bad rows."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from openpyxl import Workbook
from PIL import Image as Pictures

from openvlt import DataError, Example, Rejected
from openvlt.records import NewImage
from openvlt.tables import read_table
from openvlt.tables.json_stream import json_elements
from openvlt_plugins.rows.source import Rows

REAL = Path(__file__).parents[2] / "../shared/data"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the shared data folder is not here")


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Pictures.new("RGB", (4, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


def written(folder: Path, *rows: Any) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def examples(path: Path, **options: Any) -> list[Example]:
    found = list(Rows(path=str(path), **options).examples("train"))
    assert all(isinstance(item, Example) for item in found), found
    return [item for item in found if isinstance(item, Example)]


def reasons(path: Path, **options: Any) -> list[tuple[str, str]]:
    found = Rows(path=str(path), **options).examples("train")
    return [(item.id, item.reason) for item in found if isinstance(item, Rejected)]


def origins(example: Example) -> list[Path | bytes]:
    return [image.origin for image in example.images if isinstance(image, NewImage)]


def test_the_usual_columns_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    row = {
        "pid": 7, "problem": "<image>How long?", "gold": 3.5, "options": ["3", "3.5"], "image": "a.png",
        "answer_type": "float", "precision": 1.0, "unit": "cm", "subject": "geometry",
    }  # fmt: skip
    (example,) = examples(written(tmp_path, row))
    assert (example.id, example.question, example.answer) == ("7", "How long?", "3.5")
    assert (example.choices, example.answer_type, example.precision, example.unit) == (("3", "3.5"), "float", 1, "cm")
    assert origins(example) == [tmp_path / "a.png"]
    assert example.metadata == {"subject": "geometry"}


def test_questions_are_counted_unless_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, *({"question": f"{n}?", "answer": n} for n in range(10)), {"question": "", "answer": 1})
    assert Rows(path=str(path)).size("train") == 10
    halves = Rows(path=str(path), held_out=0.3)
    assert [halves.size(split) for split in ("train", "test", "dev")] == [7, 3, None]
    assert Rows(path=str(tmp_path / "absent.jsonl")).size("train") is None
    monkeypatch.setattr("openvlt_plugins.rows.source.COUNTED", 10)
    assert Rows(path=str(path)).size("train") is None


def test_options_name_other_columns(tmp_path: Path) -> None:
    path = written(tmp_path, {"frage": "Wie viele?", "antwort": 4, "answer_type": "weird", "question": "no"})
    (example,) = examples(path, question="frage", answer="antwort", answer_type="")
    assert (example.question, example.answer, example.answer_type) == ("Wie viele?", "4", None)
    assert example.id == "rows.jsonl:1"
    assert reasons(path, question="absent") == [
        ("rows.jsonl:1", "there is no column 'absent' among antwort, frage, answer_type, question")
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "yes"),
        (0, "0"),
        ([4], "4"),
        ([1, 2], "[1, 2]"),
        (" B ", "B"),
        ({"bbox_2d": [1, 2, 3, 4]}, '{"bbox_2d": [1, 2, 3, 4]}'),
        ([[1, 2, 3, 4]], "[1, 2, 3, 4]"),
    ],
)
def test_answers_become_text(tmp_path: Path, value: Any, expected: str) -> None:
    assert examples(written(tmp_path, {"question": "q", "answer": value}))[0].answer == expected


@pytest.mark.parametrize("value", [["no", "yes"], {"A": "no", "B": "yes"}, '["no", "yes"]', "['no', 'yes']"])
def test_choices_may_be_lists_mappings_or_written_lists(tmp_path: Path, value: Any) -> None:
    (example,) = examples(written(tmp_path, {"question": "q", "answer": 1, "options": value}), answer_is_index=True)
    assert (example.choices, example.answer) == (("no", "yes"), "B")


def as_url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


@pytest.mark.parametrize(
    "value",
    [
        as_url(png()),
        base64.b64encode(png()).decode(),
        [as_url(png())],
        {"bytes": None, "path": as_url(png())},
    ],
)
def test_images_may_be_held_in_the_row(tmp_path: Path, value: Any) -> None:
    (example,) = examples(written(tmp_path, {"question": "q", "answer": "a", "image": value}))
    assert origins(example) == [png()]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("figures/1.PNG", "an image"),
        (["a.jpg", "b.jpg"], "an image"),
        ({"bytes": None, "path": "a.webp"}, "an image"),
        (as_url(png()), "an image"),
        ("clips/1.mp4", "a video"),
    ],
)
def test_a_picture_in_an_unknown_column_is_not_overlooked(tmp_path: Path, value: Any, what: str) -> None:
    path = written(tmp_path, {"question": "q", "answer": "a", "scan": value})
    ((_, reason),) = reasons(path)
    assert reason == f"the column 'scan' has {what}, which nothing reads; set images to its name, or to ''"
    (example,) = examples(path, images="")
    assert example.metadata == {"scan": value}


def test_unused_columns_are_metadata_whatever_they_hold(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "a", "long": "x" * 5000, "list": [1, "2", None], "mapping": {"a": {"b": 1.5}}}
    (example,) = examples(written(tmp_path, row))
    assert example.metadata == {name: row[name] for name in ("long", "list", "mapping")}


def test_every_bad_row_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        "{broken",
        "",
        "[1]",
        '{"question": "q"}',
        '{"answer": "a"}',
        '{"question": "q", "answer": " "}',
        '{"question": "q", "answer": "a", "image": "https://example.org/a.png"}',
        '{"question": "q", "answer": "a", "image": {"bytes": null, "path": ""}}',
        '{"question": "q", "answer": "a", "image": 3}',
        '{"question": "<image><image>q", "answer": "a"}',
        '{"question": "q", "answer": "a", "choices": "yes or no"}',
        '{"question": "q", "answer": "a", "answer_type": "poem"}',
        '{"question": "q", "answer": "a", "precision": "two"}',
        '{"question": "q", "answer": "a"}',
    ]
    path.write_text("\n".join(rows))
    assert reasons(path) == [
        ("rows.jsonl:1", "not JSON"),
        ("rows.jsonl:3", "not a JSON object"),
        ("rows.jsonl:4", "empty gold answer"),
        (
            "rows.jsonl:5",
            "there is no question among the columns answer",
        ),
        ("rows.jsonl:6", "empty gold answer"),
        ("rows.jsonl:7", "remote image; download it first"),
        ("rows.jsonl:8", "an image is empty"),
        ("rows.jsonl:9", "an image is int"),
        ("rows.jsonl:10", "2 image placeholders, 0 images"),
        ("rows.jsonl:11", 'choices cannot be read: write a JSON list, such as ["a", "b"]'),
        ("rows.jsonl:12", "unknown answer type 'poem'"),
        ("rows.jsonl:13", "precision is not a whole number"),
    ]


def test_parquet_with_image_structs(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [{"question": "q", "answer": str(i), "images": [{"bytes": png(), "path": None}]} for i in range(130)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    found = examples(tmp_path)
    assert [example.answer for example in found] == [str(i) for i in range(130)]
    assert origins(found[-1]) == [png()]
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        examples(tmp_path)


@pytest.mark.parametrize("name", ["rows.tsv", "rows.csv", "rows.xlsx"])
def test_tables_of_spreadsheets(tmp_path: Path, name: str) -> None:
    cells = [["question", "answer", "choices", "image", "precision"], ["How long?", 1, "['3', '4']", "a.png", 2.0]]
    if name == "rows.xlsx":
        book = Workbook()
        for line in cells:
            book.active.append(line)
        book.save(tmp_path / name)
    else:
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file, delimiter="\t" if name == "rows.tsv" else ",").writerows(cells)
    (example,) = examples(tmp_path / name, answer_is_index=True)
    assert (example.id, example.choices, example.answer, example.precision) == (f"{name}:2", ("3", "4"), "B", 2)
    assert origins(example) == [tmp_path / "a.png"]


def test_json_lists_and_objects(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "a"}
    for name, content in {"list": [row, row], "object": {"x": row, "y": row}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content, indent=1))
    assert [e.id for e in examples(tmp_path / "list.json")] == ["list.json:2", "list.json:6"]
    assert [e.id for e in examples(tmp_path / "object.json")] == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "line"), [('[{"a": 1},\n{"a" 2}]', 2), ('[\n{"a": 1}\n', 3), ("3", 1), ('[{"a": 1}\n;]', 2), ("", 1)]
)
def test_broken_json_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=rf"a\.json:{line} is not JSON"):
        list(read_table(tmp_path / "a.json"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(rows=st.lists(JSON, max_size=6), indent=st.none() | st.integers(0, 2), block=st.integers(1, 7))
def test_json_read_in_blocks_is_the_json_that_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], indent: int | None, block: int
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    written = ["\n" + json.dumps(row, indent=indent) for row in rows]
    path.write_text(f"[{','.join(written)}]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("openvlt.tables.json_stream._BLOCK", block)
        with path.open() as file:
            elements = list(json_elements(file, path))
    lines = [2 + "".join(written[:index]).count("\n") for index in range(len(rows))]
    assert elements == [(line, None, row) for line, row in zip(lines, rows, strict=True)]


def test_a_split_in_the_path_chooses_the_file(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps({"question": "q", "answer": split}))
    source = Rows(path=str(tmp_path / "{split}.jsonl"))
    answers = [item.answer for item in source.examples("test") if isinstance(item, Example)]
    assert answers == ["test"]
    with pytest.raises(DataError, match="has no split 'test'"):
        list(Rows(path=str(tmp_path / "train.jsonl")).examples("test"))


def test_the_revision_follows_the_content(tmp_path: Path) -> None:
    path = written(tmp_path, {"question": "q", "answer": "a"})
    before = Rows(path=str(path)).revision()
    assert Rows(path=str(path)).revision() == before
    written(tmp_path, {"question": "q", "answer": "b"})
    assert Rows(path=str(path)).revision() != before


@pytest.mark.parametrize(
    ("path", "problem"),
    [("https://example.org/a.jsonl", "is remote"), ("nowhere.jsonl", "does not exist"), (__file__, "unknown format")],
)
def test_paths_that_lead_nowhere(path: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        list(Rows(path=path).examples("train"))


def first_lines(found: Sequence[Example]) -> set[str]:
    return {example.question.splitlines()[0] for example in found}


@needs_real
def test_mathvision_as_it_is_published() -> None:
    found = examples(REAL / "mathvision/testmini.jsonl")
    assert len(found) == 304
    assert all(example.images for example in found)
    assert {bool(example.choices) for example in found} == {True, False}


@needs_real
def test_tabmwp_as_it_is_published() -> None:
    found = examples(REAL / "tabmwp/problems_dev400.json")
    assert len(found) == 400
    assert found[0].id == "33"
    assert found[0].choices == ("linear", "nonlinear")
