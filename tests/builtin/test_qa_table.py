"""Benchmarks that are data: rows of any file, their columns, and the prompts made of them."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from openvlt import DataError, Example, Format, Reject, Rejected, UsageError, Verdict
from openvlt.bench.definition import define
from openvlt.registry import Registry
from openvlt.stages.load import check_split
from openvlt_plugins.qa.benchmark import Qa
from openvlt_plugins.qa.cells import cell, has, split_choices
from openvlt_plugins.qa.groups import Groups
from openvlt_plugins.qa.table import Table

COLUMNS = {"id": "pid|index", "question": "question", "answer": "answer", "choices": "choices?", "unit": "unit?"}
ROW = {"pid": "7", "question": "How long?", "answer": "12", "unit": "cm"}


def table(path: Path, **options: Any) -> Table:
    return Table(**{"columns": COLUMNS, "path": str(path), "sizes": {"test": 1}, **options})


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows in the format the file's name says."""
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif path.suffix == ".json":
        path.write_text(json.dumps({str(row["pid"]): row for row in rows}))
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".tsv":
        path.write_text("\t".join(rows[0]) + "\n" + "\n".join("\t".join(map(str, row.values())) for row in rows))
    else:
        from openpyxl import Workbook

        book = Workbook()
        for line in [list(rows[0]), *(list(row.values()) for row in rows)]:
            book.active.append(line)
        book.save(path)
    return path


def picture() -> bytes:
    from PIL import Image

    buffer = BytesIO()
    Image.effect_noise((32, 32), 50).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.parquet", "rows.tsv", "rows.xlsx"])
def test_every_format_gives_the_same_example(tmp_path: Path, name: str) -> None:
    (example,) = table(write(tmp_path / name, [ROW])).examples("test")
    assert example == Example(id="7", question="How long?", answer="12", unit="cm")


def test_a_spreadsheet_may_turn_ids_into_numbers(tmp_path: Path) -> None:
    rows = [{"index": 7.0, "question": "?", "answer": 3}]
    (example,) = table(write(tmp_path / "rows.xlsx", rows)).examples("test")
    assert (example.id, example.answer) == ("7", "3")


def test_a_folder_stands_for_the_file_of_its_split(tmp_path: Path) -> None:
    write(tmp_path / "dev.jsonl", [{**ROW, "pid": "dev"}])
    write(tmp_path / "test.jsonl", [ROW])
    assert [example.id for example in table(tmp_path).examples("test")] == ["7"]


def test_a_folder_with_one_file_stands_for_it(tmp_path: Path) -> None:
    write(tmp_path / "testmini.jsonl", [ROW])
    assert [example.id for example in table(tmp_path).examples("test")] == ["7"]


def test_a_folder_stands_for_all_shards_and_configurations(tmp_path: Path) -> None:
    for number, name in enumerate(
        ("B/test-00000-of-00002", "B/test-00001-of-00002", "A/test-00000-of-00001", "C/test")
    ):
        file = tmp_path / f"{name}.parquet"
        file.parent.mkdir(exist_ok=True)
        write(file, [{**ROW, "pid": str(number)}])
    read = [example.id for example in table(tmp_path, configs=("A", "B")).examples("test")]
    assert read == ["2", "0", "1"]


def test_a_folder_with_several_other_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [ROW])
    write(tmp_path / "b.jsonl", [ROW])
    with pytest.raises(DataError, match=r"contains a\.jsonl, b\.jsonl, and none is called test"):
        list(table(tmp_path).examples("test"))


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"pid": "7", "text": "How long?", "answer": "12"}])
    with pytest.raises(DataError, match=r"lacks the columns question, metadata\.task\. It has pid, text, answer"):
        list(table(path, metadata={"task": "metadata.task"}).examples("test"))


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n{broken\n")
    with pytest.raises(DataError, match=r"rows\.jsonl:2"):
        list(table(path).examples("test"))


def test_options_written_as_a_python_list_are_read_without_running_them(tmp_path: Path) -> None:
    rows = [
        {**ROW, "pid": "1", "choices": "['a', \"b's\"]"},
        {**ROW, "pid": "2", "choices": "__import__('os').listdir()"},
        {**ROW, "pid": "3", "choices": ""},
    ]
    first, second, third = table(write(tmp_path / "rows.jsonl", rows)).examples("test")
    assert first.choices == ("a", "b's") and first.answer_type == "choice"
    assert second == Rejected(id="2", reason='choices cannot be read: write a JSON list, such as ["a", "b"]')
    assert third.choices == ()


def test_a_list_written_into_a_cell_is_a_list(tmp_path: Path) -> None:
    rows = [{**ROW, "skills": "['a', 'b']", "task": "[half open)"}]
    metadata = {"skills": "skills", "task": "task"}
    (example,) = table(write(tmp_path / "rows.tsv", rows), metadata=metadata).examples("test")
    assert example.metadata == {"skills": ["a", "b"], "task": "[half open)"}


def test_images_come_from_bytes_paths_and_base64(tmp_path: Path) -> None:
    content = picture()
    (tmp_path / "a.png").write_bytes(content)
    row = {
        **ROW,
        "one": {"bytes": None, "path": "a.png"},
        "two": "a.png",
        "three": base64.b64encode(content).decode(),
        "four": None,
    }
    images = ("one", "two", "three", "four?")
    (example,) = table(write(tmp_path / "rows.jsonl", [row]), images=images).examples("test")
    assert [image.origin for image in example.images] == [tmp_path / "a.png", tmp_path / "a.png", content]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ({"image": "data:image/png;base64,%%%"}, "an image is neither a path nor base64"),
        ({"image": "%" * 2000}, "an image is neither a path nor base64"),
        ({"image": {"bytes": None, "path": None}}, "an image is empty"),
        ({"image": "https://example.org/a.png"}, "remote image; download it first"),
        ({"choices": "a or b"}, 'choices cannot be read: write a JSON list, such as ["a", "b"]'),
        ({"precision": 1.5}, "precision is not a whole number"),
    ],
)
def test_a_row_with_a_bad_cell_is_rejected_and_not_asked(tmp_path: Path, cell: dict[str, Any], reason: str) -> None:
    columns = {**COLUMNS, "precision": "precision?"}
    source = table(write(tmp_path / "rows.jsonl", [{**ROW, **cell}]), columns=columns, images=("image?",))
    assert list(source.examples("test")) == [Rejected(id="7", reason=reason)]


def test_vlmevalkit_writes_the_images_of_a_row_as_a_list(tmp_path: Path) -> None:
    one, two = picture(), picture()
    written = str([base64.b64encode(content).decode() for content in (one, two)])
    (example,) = table(write(tmp_path / "rows.tsv", [{**ROW, "image": written}]), images=("image",)).examples("test")
    assert [image.origin for image in example.images] == [one, two]


def test_bad_golds_are_mended_by_rule_and_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{**ROW, "answer": "(C)"}, {**ROW, "pid": "8", "answer": "C"}])
    mended, plain = table(path, golds={r"^\(([A-F])\)$": r"\1"}).examples("test")
    assert (mended.answer, mended.metadata) == ("C", {"gold": "(C)"})
    assert (plain.answer, plain.metadata) == ("C", {})


def test_the_data_counts_by_its_content(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.jsonl", [ROW]), write(tmp_path / "b.jsonl", [ROW])
    assert table(a).revision() == table(b).revision()
    write(b, [{**ROW, "answer": "13"}])
    assert table(a).revision() != table(b).revision()


def qa(tmp_path: Path, **options: Any) -> Qa:
    needed = {"source": table(tmp_path), "split": "test", "scorings": {"strict": "answer"}}
    return Qa(**{**needed, "prompts": {"default": "{question}{unit}"}, **options})


def text(benchmark: Qa, example: Example) -> Any:
    (message,) = benchmark.messages(example, Format())
    return message.content


def test_the_most_specific_template_is_taken(tmp_path: Path) -> None:
    prompts = {"float.1": "one: {question}", "float": "some: {question}", "default": "{question}"}
    benchmark = qa(tmp_path, prompts=prompts)
    for precision, said in ((1, "one: q"), (2, "some: q")):
        assert text(benchmark, Example(id="1", question="q", answer="1", answer_type="float", precision=precision)) == (
            said,
        )
    assert text(benchmark, Example(id="1", question="q", answer="1")) == ("q",)


def test_a_row_that_no_template_is_for_is_rejected(tmp_path: Path) -> None:
    benchmark = qa(tmp_path, prompts={"integer": "{question} A number."})
    with pytest.raises(Reject, match="no entry of 'prompts' is for text, and none is 'default'"):
        benchmark.messages(Example(id="a", question="q", answer="x", answer_type="text"), Format())


def test_braces_of_a_question_stay(tmp_path: Path) -> None:
    example = Example(id="1", question="\\frac{1}{2} of {choices}", answer="1", unit="g")
    assert text(qa(tmp_path), example) == ("\\frac{1}{2} of {choices} (Unit: g)",)


def test_images_stand_where_they_are_marked(tmp_path: Path) -> None:
    from openvlt.records import Image

    one, two = Image("1", 1, 1), Image("2", 1, 1)
    benchmark = qa(tmp_path, markers=r"<image (\d+)>")
    example = Example(id="1", question="Is <image 2> like it? <image 3>", answer="1", images=(one, two))
    assert text(benchmark, example) == (one, "Is ", two, " like it? <image 3>")


@pytest.mark.parametrize(
    ("cells", "choices"),
    [
        ({"A": "x", "B": "y"}, ("x", "y")),
        ({"A": "x", "B": "", "C": "z", "D": ""}, ("x", "", "z")),
        ({"A": "x", "B": float("nan"), "C": "z", "D": None}, ("x", "", "z")),
        ({"A": "x", "B": "None", "C": "nan"}, ("x", "None")),
        ({"A": 1.0, "B": 2.5}, ("1", "2.5")),
        ({"A": "", "B": ""}, ()),
    ],
)
def test_an_empty_choice_keeps_the_letters_of_those_behind_it(
    tmp_path: Path, cells: dict[str, Any], choices: tuple[str, ...]
) -> None:
    source = table(write(tmp_path / "rows.jsonl", [{**ROW, **cells}]), columns={**COLUMNS, "choices": "A-Z"})
    (example,) = source.examples("test")
    assert isinstance(example, Example) and example.choices == choices
    shown = text(qa(tmp_path, prompts={"default": "{choices}"}), example)[0].split("\n")
    assert [line[:3] for line in shown if line] == [f"({chr(65 + i)})" for i, choice in enumerate(choices) if choice]
    (mapped,) = table(write(tmp_path / "rows.jsonl", [{**ROW, "choices": {"A": "x", "B": None, "C": "z"}}])).examples(
        "test"
    )
    assert isinstance(mapped, Example) and mapped.choices == ("x", "", "z")


def test_an_option_may_be_called_none(tmp_path: Path) -> None:
    from openvlt import Claim, Trace
    from openvlt_plugins.answers.answer import Answer

    for gold_is in ("letter", "text"):
        rows = [{**ROW, "A": "Two", "B": "None", "answer": "B" if gold_is == "letter" else "None"}]
        source = table(write(tmp_path / "rows.tsv", rows), columns={**COLUMNS, "choices": "A-Z"}, gold_is=gold_is)
        (example,) = source.examples("test")
        assert isinstance(example, Example) and example.answer == "None"
        for answer, status in (("None", "correct"), ("B", "correct"), ("Two", "incorrect"), ("A", "incorrect")):
            claim = Claim(example=example, trace=Trace(think="", answer=answer, raw=answer))
            assert Answer().check(answer, claim).status == status


LETTERED = r"(?s)\(([A-H])\)(.*?)(?=\([A-H]\)|\Z)"


@pytest.mark.parametrize(
    ("written", "choices"),
    [
        ("Is it? Choices: (A) yes (B) no", ["yes", "no"]),
        ("Select from (A), (B), (C). (A) 4cm, (B) 6cm, (C) 8cm", ["4cm", "6cm", "8cm"]),
        ("Which of them? (A) (B) (C)", []),
        ("(A) one (C) three", []),
        ("Look at (A).", []),
        ("", []),
    ],
)
def test_choices_are_split_by_a_pattern(written: str, choices: list[str]) -> None:
    assert split_choices(LETTERED, written) == choices


@given(st.lists(st.text("abc 12,.", min_size=1).filter(lambda each: each.strip(" ,")), min_size=2, max_size=8))
def test_choices_that_are_written_into_a_question_are_found(contents: list[str]) -> None:
    written = "Which? " + " ".join(f"({chr(65 + index)}) {each}" for index, each in enumerate(contents))
    assert split_choices(LETTERED, written) == [each.strip().rstrip(",").rstrip() for each in contents]


@pytest.mark.parametrize(
    ("gold_is", "answer", "gold"),
    [("letter", "B", "D"), ("letter", "D", "D"), ("letter", "C, D", "C, D"), ("index", "3", "a"), ("index", "9", None), ("text", "B", "B")],
)  # fmt: skip
def test_a_gold_that_is_a_letter_or_an_index_becomes_the_content(
    tmp_path: Path, gold_is: Any, answer: str, gold: str | None
) -> None:
    rows = [{**ROW, "choices": ["c", "D", "b", "a"], "answer": answer}]
    (found,) = table(write(tmp_path / "rows.jsonl", rows), gold_is=gold_is).examples("test")
    if gold is None:
        assert found == Rejected(id="7", reason="the gold is the index of no choice")
    elif answer == "D":
        assert isinstance(found, Example) and found.answer == "a"
    else:
        assert isinstance(found, Example) and found.answer == gold


def test_a_pattern_without_two_groups_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs two groups"):
        table(tmp_path, choice_pattern=r"\(([A-H])\)")


def test_an_expression_may_name_an_item_of_a_list_or_another_expression() -> None:
    row = {"answers": ["a", "b"], "name": "1.png", "other": None}
    assert cell(row, "answers.1") == "b" and cell(row, "answers.5") is None
    assert cell(row, "image|images/{name}") == "images/1.png" and cell(row, "{other}") is None
    assert has(row, "image|images/{name}") and not has(row, "{image}/{name}")


def test_a_local_file_needs_no_sizes(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [ROW])
    source = {"use": "table", "path": str(path), "columns": COLUMNS}
    built = Registry.discover().build("source", source)
    check_split(built, "whatever")
    benchmark = {"use": "qa", "split": "mine", "scorings": {"strict": "answer"}, "source": source}
    definition = define(Registry.discover(), benchmark, Format())
    (example,) = definition.benchmark.component.source.examples("mine")
    assert isinstance(example, Example) and definition.size is None


def test_a_scoring_is_a_verifier_with_options(tmp_path: Path) -> None:
    from openvlt import Claim, Trace

    path = write(tmp_path / "rows.jsonl", [{**ROW, "answer": "100"}])
    scorings = {"strict": "answer", "relaxed": {"use": "number", "tolerance": 0.05}, "near": {"use": "anls"}}
    spec = {"use": "qa", "split": "test", "scorings": scorings, "source": {"use": "table", "path": str(path), "columns": COLUMNS}}  # fmt: skip
    verifiers = define(Registry.discover(), spec, Format()).verifiers
    (example,) = table(path).examples("test")
    assert isinstance(example, Example)
    claim = Claim(example=example, trace=Trace(think="", answer="104", raw="104"))
    verdicts = {name: built.component.check("104", claim) for name, built in verifiers.items()}
    assert {name: verdict.status for name, verdict in verdicts.items()} == {
        "strict": "incorrect", "relaxed": "correct", "near": "partial",
    }  # fmt: skip
    assert verdicts["near"].score == pytest.approx(2 / 3)
    with pytest.raises(UsageError, match="no option 'tolerances'"):
        define(Registry.discover(), {**spec, "scorings": {"a": {"use": "number", "tolerances": 1}}}, Format())


@pytest.mark.parametrize(
    ("groups", "figure"),
    [
        (Groups(("p",)), 1 / 3),
        (Groups(("p",), "any"), 2 / 3),
        (Groups(("p",), "none"), 1 / 3),
        (Groups(("p",), "not all"), 2 / 3),
        (Groups(("p",), "mean"), (1 + 0.5 + 0) / 3),
        (Groups(("p",), {"whole": "all", "*": "not all"}, "role"), 1 / 2),
        (Groups(("p",), {"whole": "none", "*": "not all"}, "role"), 0.0),
        (Groups(("absent",)), 0.0),
    ],
)
def test_a_figure_counts_groups(groups: Groups, figure: float) -> None:
    """Of three problems the third has no whole, and does not count where roles are asked for."""
    said = [("1", "whole", True), ("1", "a", True), ("2", "whole", True), ("2", "a", False), ("3", "a", False)]
    rows = [
        (Example(id=str(i), question="?", answer="x", metadata={"p": p, "role": role}), Verdict.correct() if right else Verdict.incorrect())
        for i, (p, role, right) in enumerate(said)
    ]  # fmt: skip
    assert groups.figure(rows) == pytest.approx(figure)


def test_a_rubric_shows_the_kind_of_the_question(tmp_path: Path) -> None:
    benchmark = qa(tmp_path, score_prompt="{kind}: {question} {gold} {answer}")
    example = Example(id="1", question="q", answer="g", metadata={"kind": 4})
    (message,) = benchmark.judge_score(example, "a") or []
    assert message.content == ("4: q g a",)


def test_groups_are_right_only_if_all_their_questions_are(tmp_path: Path) -> None:
    benchmark = qa(tmp_path, groups={"fAcc": ("figure",)})
    rows = [
        (Example(id=str(i), question="?", answer="Yes", metadata={"figure": figure}), verdict)
        for i, (figure, verdict) in enumerate(
            [("a", Verdict.correct()), ("a", Verdict.incorrect()), ("b", Verdict.correct())]
        )
    ]
    assert benchmark.aggregate(rows) == {"fAcc": 0.5}
