"""``openvlt bench --responses`` with files as other tools write them, with and without the gold answers in them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openvlt.__main__ import run
from openvlt.tables import read_rows

DATA = Path(__file__).parents[2].parent / "shared" / "data"
Bench = Callable[..., Any]

VISTA = {
    "index": "1", "question": "Hint: ... Question: Which?", "question_type": "multi_choice", "answer_type": "text",
    "choices": "['cat', 'dog']", "answer": "dog", "answer_option": "B", "task": "figure question answering",
    "skills": "['statistical reasoning']", "category": "general-vqa", "prediction": "The answer is B.",
}  # fmt: skip
VISION = {
    "index": "4", "question": "Which?\n<image1>", "choices": "['1', '2', '3', '4', '5']", "answer": "C",
    "category": "counting", "prediction": "so \\boxed{C}",
}  # fmt: skip
VERSE = {
    "index": "0", "sample_index": "7", "problem_index": "2", "problem_version": "Text Lite", "question": "q",
    "answer": "D", "question_type": "multi-choice", "query_cot": "Question: q", "prediction": "The answer is D.",
    "metadata": "{'split': 'testmini', 'source': 'GeoQA', 'subject': 'Plane Geometry', 'subfield': 'Angle'}",
}  # fmt: skip
LETTERED = {"A": "one", "B": "two", "C": "three", "D": "", "answer": "B", "category": "Art"}
PRO = {"index": "0", "id": "test_Art_1", "question": "Which is it in <image 1>?", **LETTERED, "prediction": "Answer: B"}
EMMA = {
    "index": "3", "pid": "math_3", "question": "<image_1> Which?", **LETTERED, "subject": "Math", "type": "MCQ",
    "context": "", "prediction": "so \\boxed{B}",
}  # fmt: skip
HALLUSION = {
    "index": "VD_figure_1_0_1_2", "question": "Is it so?", "answer": "No", "category": "VD", "l2-category": "figure",
    "prediction": "No, it is not.",
}  # fmt: skip
TABLES: dict[str, tuple[dict[str, Any], str, str]] = {
    "mathvista": (VISTA, "task", "figure question answering"),
    "mathvision": (VISION, "subject", "counting"),
    "mathverse": (VERSE, "subject", "Plane Geometry"),
    "mmmu-pro-10": (PRO, "subject", "Art"),
    "emma": (EMMA, "subject", "Math"),
    "hallusionbench": (HALLUSION, "subcategory", "figure"),
}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Run ``openvlt bench ... --json``; the result, or the exit code and what was said."""
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))

    def call(*arguments: str | Path) -> Any:
        code = run(["bench", *map(str, arguments), "--json"])
        out = capsys.readouterr()
        return json.loads(out.out) if code == 0 else (code, out.err)

    return call


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as VLMEvalKit does: a tab-separated file, or an Excel one where ids of digits are numbers."""
    if path.suffix == ".tsv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
            writer.writeheader()
            writer.writerows(rows)
        return path
    from openpyxl import Workbook

    book = Workbook()
    for line in [list(rows[0]), *(list(row.values()) for row in rows)]:
        book.active.append([int(cell) if str(cell).isdigit() else cell or None for cell in line])
    book.save(path)
    return path


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize("suffix", [".tsv", ".xlsx"])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_vlmevalkit_needs_no_data(bench: Bench, tmp_path: Path, name: str, suffix: str) -> None:
    row, key, value = TABLES[name]
    told = bench(name, "--responses", table(tmp_path / f"model_{name}{suffix}", [row]))
    strict = told["scores"]["strict"]
    assert (told["n"], strict["accuracy"], strict["breakdown"][key][value]["correct"]) == (1, 1.0, 1)
    assert all(counts["accuracy"] == 1.0 for counts in told["scores"].values())


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_vlmevalkit_against_the_data(bench: Bench, tmp_path: Path, name: str) -> None:
    row, _, _ = TABLES[name]
    data = lines(tmp_path / "data.jsonl", [{key: cell for key, cell in row.items() if key != "prediction"}])
    bare = {key: row[key] for key in ("id", "pid", "sample_index", "index", "prediction") if key in row}
    told = bench(name, "--data", data, "--responses", table(tmp_path / "model.tsv", [bare]))
    assert (told["unanswered"], told["scores"]["strict"]["correct"]) == ([], 1)


def test_result_files_of_mmmu_pro_hold_their_questions(bench: Bench, tmp_path: Path) -> None:
    row = {
        "id": "test_History_1", "question": "Which in <image 1>?", "options": "['a', 'b', \"c's\"]", "explanation": "?",
        "img_type": "['Diagrams']", "answer": "C", "topic_difficulty": "Hard", "subject": "History", "response": "C. c's",
    }  # fmt: skip
    told = bench("mmmu-pro-10", "--responses", lines(tmp_path / "gpt-4o_standard.jsonl", [row]))
    assert told["scores"]["strict"]["accuracy"] == 1.0


def test_hallusionbench_counts_questions_figures_and_pairs(bench: Bench, tmp_path: Path) -> None:
    told = {"VD_figure_1_0_0_0": "Yes", "VD_figure_1_0_0_1": "No", "VD_figure_1_0_1_0": "No", "VD_ocr_1_0_0_0": "Yes"}
    rows = [{**HALLUSION, "index": index, "answer": gold, "prediction": "Yes"} for index, gold in told.items()]
    strict = bench("hallusionbench", "--responses", table(tmp_path / "model.tsv", rows))["scores"]["strict"]
    assert strict["accuracy"] == 0.5  # aAcc
    # figures: one with a wrong question, one wrong, one right; questions on all figures: two wrong, one right
    mean = (1 / 2 + 1 / 3 + 1 / 3) / 3
    assert strict["figures"] == pytest.approx({"fAcc": 1 / 3, "qAcc": 1 / 3, "mean": mean})


def test_text_only_questions_of_mathverse_are_shown_and_not_counted(bench: Bench, tmp_path: Path) -> None:
    rows = [VERSE, {**VERSE, "sample_index": "8", "problem_version": "Text Only", "prediction": "A"}]
    told = bench("mathverse", "--responses", table(tmp_path / "model.tsv", rows))
    strict = told["scores"]["strict"]
    assert (told["n"], strict["n"], strict["accuracy"]) == (1, 1, 1.0)
    assert strict["breakdown"]["problem_version"]["Text Only"]["correct"] == 0


def test_rows_of_our_own_runs(bench: Bench, tmp_path: Path) -> None:
    data = lines(tmp_path / "data.jsonl", [VISION, {**VISION, "index": "5"}])
    said = lines(tmp_path / "said.jsonl", [{"id": "4", "response": "C", "completion_tokens": 7}])
    first = bench("mathvision", "--data", data, "--responses", said)
    (rows,) = (tmp_path / "home" / "runs").glob("*/rows.jsonl")
    again = bench("mathvision", "--data", data, "--responses", rows)
    assert (again["scores"], again["unanswered"], again["mean_tokens"]) == (first["scores"], ["5"], 7.0)


@pytest.mark.parametrize(
    "source",
    [
        "{use: rows, path: golds.jsonl}",
        "{use: table, path: golds.jsonl, sizes: {train: 2}, columns: {id: id, question: question, answer: answer}}",
    ],
)
def test_a_file_of_responses_does_not_replace_the_data_that_a_benchmark_names(
    bench: Bench, tmp_path: Path, source: str
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"use: qa\nsplit: train\nscorings: {{strict: answer}}\nsource: {source}\n")
    golds = [{"id": "a", "question": "Which?", "answer": "1"}, {"id": "b", "question": "What?", "answer": "2"}]
    data = lines(tmp_path / "golds.jsonl", golds)
    said = lines(tmp_path / "said.jsonl", [{**row, "answer": "9", "response": f"\\boxed{{{i}}}"} for i, row in
                                           enumerate(golds, start=1)])  # fmt: skip
    told = bench(mine, "--responses", said)
    assert (told["correct"], told["n"]) == (2, 2)
    assert not any("gold answers" in note for note in told["notes"])
    bare = lines(tmp_path / "bare.jsonl", [{"id": "b", "response": "\\boxed{2}"}])
    told = bench(mine, "--responses", bare)
    assert (told["correct"], told["n"], told["unanswered"]) == (1, 2, ["a"])
    data.write_text('{"id": "a"}\n')
    code, error = bench(mine, "--responses", said)
    assert code == 4 and f"{mine}:4: source" in error


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("\ufeff".encode() + b'{"id": "4", "response": "C"}', 1, id="mark"),
        pytest.param(b'{"id": "4", "response": "caf\xe9"}', "is not UTF-8", id="latin-1"),
        pytest.param(b"", "has no responses", id="empty"),
        pytest.param(b"\n\n", "has no responses", id="blank"),
        pytest.param(b'{"id": "4", "response": "C"}\r\n', 1, id="windows"),
    ],
)
def test_encodings(bench: Bench, tmp_path: Path, content: bytes, said: Any) -> None:
    (tmp_path / "said.jsonl").write_bytes(content)
    told = bench("mathvision", "--data", lines(tmp_path / "d.jsonl", [VISION]), "--responses", tmp_path / "said.jsonl")
    if isinstance(said, str):
        assert told[0] == 4 and said in told[1]
    else:
        assert told["scores"]["strict"]["correct"] == said


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize("suffix", [".tsv", ".xlsx", ".jsonl"])
def test_the_real_split_in_every_shape(bench: Bench, tmp_path: Path, suffix: str) -> None:
    rows = [
        {**row, "index": row["id"], "prediction": f"\\boxed{{{row['answer']}}}"}
        for row in read_rows(DATA / "mathvision" / "testmini.jsonl")
    ]
    path = tmp_path / f"model{suffix}"
    if suffix == ".jsonl":
        lines(path, [{**row, "response": row["prediction"], "model_answer": "?"} for row in rows])
    else:
        table(path, [{**row, "options": str(row["options"])} for row in rows])
    told = bench("mathvision", "--split", "testmini", "--responses", path, "--data", path)
    assert [counts["correct"] for counts in told["scores"].values()] == [304, 304]
