"""The layouts of other tools: made rows of each are read as the same question."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from PIL import Image as Pictures

from openvlt import DataError, Example, Rejected
from openvlt.tables import image_digest
from openvlt_plugins.rows.layouts import LAYOUTS, layout_of
from openvlt_plugins.rows.source import Rows

TABMWP = Path(__file__).parents[2] / "../shared/data/tabmwp"


def png() -> bytes:
    buffer = io.BytesIO()
    Pictures.new("RGB", (4, 4), "red").save(buffer, "PNG")
    return buffer.getvalue()


URL = "data:image/png;base64," + base64.b64encode(png()).decode()
Q, A = "What colour is it?", "red"
ASKED = {"role": "user", "content": Q}
PARTS = [{"type": "image_url", "image_url": {"url": URL}}, {"type": "text", "text": Q}]
FULL = f"<think>I see it.</think><answer>{A}</answer>"
CHOICES = ["blue", "red"]

ROWS: dict[str, tuple[dict[str, Any], Mapping[str, Any]]] = {
    "LLaVA": (
        {"id": "7", "image": "a.png", "conversations": [{"from": "human", "value": f"<image>\n{Q}"}, {"from": "gpt", "value": A}]},
        {"id": "7"},
    ),
    "ShareGPT": (
        {"images": ["a.png"], "conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": Q}, {"from": "gpt", "value": FULL}]},
        {"response": FULL},
    ),
    "OpenAI messages": ({"messages": [{"role": "user", "content": PARTS}, {"role": "assistant", "content": A}]}, {}),
    "ms-swift messages": ({"messages": [{"role": "user", "content": f"<image>{Q}"}, {"role": "assistant", "content": A}], "images": ["a.png"]}, {}),
    "ms-swift GRPO": ({"messages": [ASKED], "images": ["a.png"], "solution": f"<answer> {A} </answer>"}, {}),
    "ms-swift query": ({"query": f"<image>{Q}", "response": A, "images": ["a.png"]}, {}),
    "VLM-R1": ({"image": "a.png", "problem": Q, "solution": FULL}, {"response": FULL}),
    "R1-V": ({"image": URL, "problem": Q, "solution": f"<answer> {A} </answer>"}, {}),
    "TRL prompt and completion": ({"prompt": [ASKED], "completion": [{"role": "assistant", "content": A}], "images": ["a.png"]}, {}),
    "TRL prompt and completion as text": ({"prompt": Q, "completion": A, "image": "a.png"}, {}),
    "TRL GRPO": ({"prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": Q}]}], "image": "a.png", "solution": A}, {}),
    "EasyR1": ({"problem": f"<image>{Q}", "answer": A, "images": [{"bytes": URL, "path": None}]}, {}),
    "verl": (
        {"data_source": "made", "prompt": [{"role": "user", "content": f"<image>{Q}"}], "images": ["a.png"], "ability": "look", "reward_model": {"style": "rule", "ground_truth": A}},
        {},
    ),
    "the_cauldron": ({"images": ["a.png"], "texts": [{"user": f"Question: {Q}", "assistant": f"Answer: {A}", "source": "made"}]}, {}),
    "VQAv2": ({"image": "a.png", "question": Q, "question_id": 7, "answer_type": "other", "multiple_choice_answer": A, "answers": [{"answer": "blue"}]}, {"id": "7"}),
    "TextVQA": ({"image": "a.png", "question": Q, "answers": ["blue", A, A]}, {}),
    "ScienceQA": ({"image": "a.png", "question": Q, "choices": CHOICES, "answer": 1, "hint": "", "lecture": ""}, {"answer": "B", "choices": CHOICES}),
    "A-OKVQA": ({"image": "a.png", "question": Q, "choices": CHOICES, "correct_choice_idx": 1}, {"answer": "B", "choices": CHOICES}),
    "Alpaca": ({"instruction": "What colour", "input": "is it?", "output": A, "images": ["a.png"]}, {"question": "What colour\nis it?"}),
    "Alpaca without input": ({"instruction": Q, "input": "", "output": A, "images": ["a.png"]}, {}),
    "MathVista": ({"pid": "7", "query": Q, "answer": A, "image": "a.png"}, {"id": "7"}),
}  # fmt: skip


def read(path: Path, **options: Any) -> list[Example | Rejected]:
    return list(Rows(path=str(path), **options).examples("train"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.png").write_bytes(png())
    return tmp_path


@pytest.mark.parametrize("name", ROWS)
def test_a_layout_is_recognised_by_its_shape(folder: Path, name: str) -> None:
    row, special = ROWS[name]
    (folder / "rows.jsonl").write_text(json.dumps(row))
    (example,) = read(folder / "rows.jsonl")
    assert isinstance(example, Example), example
    expected = {"id": "rows.jsonl:1", "question": Q, "answer": A, "choices": [], "response": None, **special}
    found = {
        "id": example.id, "question": example.question, "answer": example.answer, "choices": list(example.choices),
        "response": example.metadata.get("response"),
    }  # fmt: skip
    assert found == expected
    assert [image_digest(image) for image in example.images] == [hashlib.sha256(png()).hexdigest()]


@pytest.mark.parametrize("name", ["LLaVA", "TRL prompt and completion", "verl", "the_cauldron"])
def test_a_layout_may_be_written_in_the_cells_of_a_table(folder: Path, name: str) -> None:
    row, _ = ROWS[name]
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow({key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()})
    (example,) = read(folder / "rows.csv")
    assert isinstance(example, Example)
    assert (example.question, example.answer, len(example.images)) == (Q, A, 1)


def test_every_layout_has_a_row() -> None:
    found = {layout.name for row, _ in ROWS.values() if (layout := layout_of(row))}
    tested_apart = {"conversation in 'conversation'", "VQAv2's files"}
    assert {layout.name for layout in LAYOUTS} - found == tested_apart


@pytest.mark.parametrize(
    "row",
    [
        {"question": Q, "choices": ["1", "2", "3"], "answer": 2},
        {"question": Q, "answer": "2", "messages": [ASKED, {"role": "assistant", "content": A}]},
        {"problem": Q, "answer": 2, "solution": "1 + 1 = 2"},
    ],
)
def test_own_columns_come_first(tmp_path: Path, row: dict[str, Any]) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    (example,) = read(tmp_path / "rows.jsonl")
    assert isinstance(example, Example)
    assert (example.question, example.answer) == (Q, "2")


def test_each_question_of_a_conversation_is_asked_on_its_own(folder: Path) -> None:
    turns = [{"from": role, "value": text} for text in ("<image>1", "2") for role in ("human", "gpt")]
    (folder / "rows.jsonl").write_text(json.dumps({"id": "7", "image": "a.png", "conversations": turns}))
    found = [item for item in read(folder / "rows.jsonl") if isinstance(item, Example)]
    assert [(each.id, each.question, len(each.images)) for each in found] == [("7#1", "1", 1), ("7#2", "2", 1)]


def test_what_is_not_recognised_shows_its_columns_and_the_closest_layout(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"instruction": "q", "reply": "a"}))
    (tmp_path / "odd.jsonl").write_text(json.dumps({"frage": "q", "output": "a"}))
    (found,) = read(tmp_path / "odd.jsonl")
    assert isinstance(found, Rejected)
    assert found.reason == (
        "there is no question among the columns frage, output; the closest layout is instruction and output (Alpaca), "
        "without instruction"
    )


KEYS = st.sampled_from(
    sorted({path.partition(".")[0] for layout in LAYOUTS for path in layout.shape} | {"images", "image"})
)
TURN = st.dictionaries(
    st.sampled_from(["from", "value", "role", "content", "type", "text", "image"]), st.text(max_size=4)
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "<image>", A, FULL]) | TURN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "from", "value", "ground_truth", "type", "answer"]), inner
        )
    ),
    max_leaves=6,
)


@given(row=st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_row_is_an_example_or_rejected(tmp_path_factory: pytest.TempPathFactory, row: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text(json.dumps(row))
    assert all(isinstance(item, Example | Rejected) for item in read(path))
    Rows(path=str(path)).understood("train", 1)


def shard(path: Path, rows: Mapping[str, Any], image: bytes) -> None:
    with tarfile.open(path, "w") as archive:
        for key, row in rows.items():
            for name, content in ((f"{key}.json", json.dumps(row).encode()), (f"{key}.png", image)):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def test_a_shard_of_webdataset(tmp_path: Path) -> None:
    shard(tmp_path / "a.tar", {"x/1": {"question": Q, "answer": A}, "x/2": {"question": "?", "answer": 3}}, png())
    found = [item for item in read(tmp_path / "a.tar") if isinstance(item, Example)]
    assert [(each.id, each.question, each.answer) for each in found] == [("x/1", Q, A), ("x/2", "?", "3")]
    assert all(len(each.images) == 1 for each in found)
    (tmp_path / "b.tar").write_bytes(b"no tar file at all" * 100)
    with pytest.raises(DataError, match="cannot be read as tar"):
        read(tmp_path / "b.tar")


@pytest.mark.parametrize("indent", [None, 1])
def test_the_two_files_of_vqav2(tmp_path: Path, indent: int | None) -> None:
    head = {"info": {"version": "2.0", "url": "http://visualqa.org"}, "license": {"name": "CC BY 4.0"}}
    asked = [{"image_id": 42, "question": f"{Q} {each}", "question_id": 42000 + each} for each in range(3)]
    told = [
        {
            "question_type": "what", "multiple_choice_answer": f"{A} {each}", "answer_type": "other",
            "answers": [{"answer": "blue", "answer_confidence": "yes", "answer_id": 1}],
            "image_id": 42, "question_id": 42000 + each,
        }
        for each in (1, 0)
    ]  # fmt: skip
    task = {"task_type": "Open-Ended", "data_type": "mscoco", **head, "data_subtype": "val2014", "questions": asked}
    (tmp_path / "v2_questions.json").write_text(json.dumps(task, indent=indent))
    annotations = {**head, "data_subtype": "val2014", "annotations": told, "data_type": "mscoco"}
    (tmp_path / "v2_annotations.json").write_text(json.dumps(annotations, indent=indent))
    (tmp_path / "images").mkdir()
    source = Rows(path=str(tmp_path / "v2_*.json"), image_folder=str(tmp_path / "images"))
    first, second, third = source.examples("train")
    assert isinstance(first, Example) and isinstance(second, Example)
    assert (first.id, first.question, first.answer, first.answer_type) == ("42000", f"{Q} 0", f"{A} 0", "text")
    assert first.image_files == [tmp_path / "images" / "COCO_val2014_000000000042.jpg"]
    assert (second.answer, second.metadata["question_type"]) == (f"{A} 1", "what")
    assert isinstance(third, Rejected) and third.reason == "empty gold answer"
    assert "VQAv2's files" in source.understood("train", 9)["layout"]


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(png())
    found = [item for item in read(tmp_path) if isinstance(item, Example)]
    assert [(each.id, each.answer, each.choices) for each in found] == [
        ("cat/1.png", "cat", ("cat", "dog")), ("dog/1.png", "dog", ("cat", "dog")),
    ]  # fmt: skip
    before = Rows(path=str(tmp_path)).revision()
    (tmp_path / "dog" / "2.png").write_bytes(png())
    assert Rows(path=str(tmp_path)).revision() != before


def test_patterns_and_several_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "rows.jsonl").write_text(json.dumps({"question": Q, "answer": name}))
    monkeypatch.setenv("HOME", str(folder))
    for path in ("~/*/rows.jsonl", ("~/a/rows.jsonl", str(folder / "b"))):
        found = [item for item in Rows(path=path).examples("train") if isinstance(item, Example)]
        assert [(each.id, each.answer) for each in found] == [("a/rows.jsonl:1", "a"), ("b/rows.jsonl:1", "b")]
    with pytest.raises(DataError, match="does not exist"):
        list(Rows(path="~/*.nothing").examples("train"))


def as_jsonl(rows: list[dict[str, Any]], folder: Path) -> Path:
    path = folder / "rows.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_json(rows: list[dict[str, Any]], folder: Path) -> Path:
    (folder / "rows.json").write_text(
        json.dumps({row["id"]: {key: row[key] for key in row if key != "id"} for row in rows})
    )
    return folder / "rows.json"


def separated(suffix: str) -> Callable[[list[dict[str, Any]], Path], Path]:
    def write(rows: list[dict[str, Any]], folder: Path) -> Path:
        with (folder / f"rows{suffix}").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows({**row, "choices": json.dumps(row["choices"]) if row["choices"] else ""} for row in rows)
        return folder / f"rows{suffix}"

    return write


def as_parquet(rows: list[dict[str, Any]], folder: Path) -> Path:
    import pyarrow
    from pyarrow import parquet

    held = [{**row, "image": {"bytes": (folder / row["image"]).read_bytes(), "path": None}} for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist(held), folder / "rows.parquet")
    return folder / "rows.parquet"


def as_folder(rows: list[dict[str, Any]], folder: Path) -> Path:
    lines = [json.dumps({"file_name": row["image"], **{k: v for k, v in row.items() if k != "image"}}) for row in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder


def saved_to_disk(rows: list[dict[str, Any]], folder: Path) -> Path:
    from datasets import Dataset, Image

    held = [{**row, "image": {"bytes": (folder / row["image"]).read_bytes(), "path": None}} for row in rows]
    Dataset.from_list(held).cast_column("image", Image()).save_to_disk(folder / "saved")
    return folder / "saved"


FORMS = {
    "jsonl.gz": as_jsonl, "csv": separated(".csv"), "tsv": separated(".tsv"), "parquet": as_parquet, "json": as_json,
    "folder": as_folder, "saved": saved_to_disk,
}  # fmt: skip


def made(folder: Path) -> Iterator[dict[str, Any]]:
    for at in range(12):
        Pictures.new("RGB", (4, 4), (at, 0, 0)).save(folder / f"{at}.png")
        question = f"How many, {at}?\nSay it."
        yield {"id": f"{at}", "question": question, "choices": ["1", '"2", 3'] if at % 2 else None, "answer": "1", "image": f"{at}.png"}  # fmt: skip


def tabmwp(folder: Path) -> Iterator[dict[str, Any]]:
    for id, row in json.loads((TABMWP / "problems_dev400.json").read_text()).items():
        shutil.copyfile(TABMWP / "tables" / f"{id}.png", folder / f"{id}.png")
        yield {"id": id, "image": f"{id}.png", **{key: row[key] for key in ("question", "choices", "answer", "unit")}}


def facts(path: Path, folder: Path) -> list[tuple[object, ...]]:
    found = read(path)
    assert not [item for item in found if isinstance(item, Rejected)]
    return [
        (each.id, each.question, each.answer, each.choices, each.unit, [*map(image_digest, each.images)])
        for each in found
        if isinstance(each, Example)
    ]


@pytest.mark.parametrize(
    "rows", [made, pytest.param(tabmwp, marks=pytest.mark.skipif(not TABMWP.is_dir(), reason="TabMWP is not here"))]
)
def test_the_same_rows_in_any_form_are_the_same_examples(
    tmp_path: Path, rows: Callable[[Path], Iterator[dict[str, Any]]]
) -> None:
    found = {}
    for form, write in FORMS.items():
        folder = tmp_path / form
        folder.mkdir()
        made_rows = list(rows(folder))
        found[form] = facts(write(made_rows, folder), folder)
        assert len(found[form]) == len(made_rows)
    for form, each in found.items():
        assert each == found["parquet"], form
