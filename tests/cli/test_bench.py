"""``openvlt bench`` and ``openvlt compare`` over answers made elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openvlt.__main__ import run
from openvlt.tables import read_rows

DATA = Path(__file__).parents[2].parent / "shared" / "data"
Bench = Callable[..., Any]

ROWS: list[dict[str, Any]] = [
    {"pid": "1", "answer_type": "text", "question_type": "multi_choice", "choices": ["cat", "dog"], "answer": "dog"},
    {"pid": "2", "answer_type": "integer", "question_type": "free_form", "choices": None, "answer": "3"},
    {
        "pid": "3",
        "answer_type": "float",
        "question_type": "free_form",
        "choices": None,
        "answer": "1.5",
        "precision": 1,
    },
    {"pid": "4", "answer_type": "list", "question_type": "free_form", "choices": None, "answer": "[1, 2]"},
]
VISTA = [{"question": "?", "precision": None, "unit": None, "metadata": {"task": "t"}, **row} for row in ROWS]
SAID = {"1": ("I see a dog.", "(B) dog"), "2": ("about 3.7", "3.7"), "3": ("it is 1.52", "1.52"), "4": ("", "")}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def bench(home: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Run ``openvlt bench ... --json``; the result, or the exit code and what was said."""

    def call(*arguments: str | Path) -> Any:
        code = run(["bench", *map(str, arguments), "--json"])
        out = capsys.readouterr()
        return json.loads(out.out) if code == 0 else (code, out.err)

    return call


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """A result file as MathVista's repository writes it: an object by pid, golds and extractions inside."""
    said = {row["pid"]: {"response": SAID[row["pid"]][0], "extraction": SAID[row["pid"]][1]} for row in VISTA}
    path = tmp_path / "output_model.json"
    path.write_text(json.dumps({row["pid"]: {**row, **said[row["pid"]]} for row in VISTA}))
    return path


def write(path: Path, rows: Any) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_an_official_result_file_needs_no_data(bench: Bench, official: Path) -> None:
    told = bench("mathvista", "--responses", official)
    scores = told["scores"]
    assert (told["benchmark"], told["n"], set(scores)) == ("mathvista", 4, {"official", "strict"})
    assert (scores["official"]["correct"], scores["official"]["accuracy"]) == (3, 0.75)
    assert scores["official"]["breakdown"]["answer_type"]["integer"] | {"ci95": 0} == {
        "accuracy": 1.0, "correct": 1, "n": 1, "ci95": 0, "bounds": [1.0, 1.0], "undecided": 0, "mean": None,
        "mean95": None,
    }  # fmt: skip
    assert scores["strict"]["breakdown"]["answer_type"]["integer"]["correct"] == 0
    assert told["protocol"]["extraction"] == "stored"
    assert any("4 of the split's 1,000 questions" in note for note in told["notes"])


def test_gold_answers_from_elsewhere(bench: Bench, tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", VISTA)
    said = write(tmp_path / "said.jsonl", [{"id": "1", "response": "<answer>B</answer>"}, {"id": "2", "response": "3"}])
    told = bench("mathvista", "--responses", said, "--data", data)
    assert told["n"] == 4 and told["scores"]["strict"]["correct"] == 2
    assert told["unanswered"] == ["3", "4"]
    assert "2 questions without a response, counted as wrong: 3, 4" in told["notes"]
    assert "answers were found by rules; no judge was asked" in told["notes"]


def test_unknown_ids_are_counted_and_shown(bench: Bench, tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", VISTA)
    said = write(tmp_path / "said.jsonl", [{"id": id, "response": "B"} for id in ("1", "77", "78")])
    assert (
        "2 responses for ids the data does not have: 77, 78"
        in bench("mathvista", "--responses", said, "--data", data)["notes"]
    )
    none = write(tmp_path / "none.jsonl", [{"id": "77", "response": "B"}])
    code, error = bench("mathvista", "--responses", none, "--data", data)
    assert code == 4 and "None of the responses (1) is for a question of the data" in error


def test_a_response_to_a_row_that_cannot_be_read_may_have_an_unknown_id(bench: Bench, tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [*VISTA, {**VISTA[0], "pid": None, "answer": ""}])
    said = write(tmp_path / "said.jsonl", [{"id": id, "response": "B"} for id in ("1", "77")])
    notes = bench("mathvista", "--responses", said, "--data", data)["notes"]
    assert "1 response for ids the data does not have (perhaps of 1 row of it that cannot be read): 77" in notes


def test_bad_files_are_refused(bench: Bench, tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", VISTA)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"id": "1", "response": "A"}\n{"id"')
    code, error = bench("mathvista", "--responses", broken, "--data", data)
    assert code == 4 and "broken.jsonl:2" in error
    columns = write(tmp_path / "columns.jsonl", [{"pid": "1", "question": "?"}])
    code, error = bench(
        "mathvista", "--responses", write(tmp_path / "ok.jsonl", [{"id": "1", "response": "A"}]), "--data", columns
    )
    assert code == 4 and "lacks the columns answer, choices, answer_type" in error


def test_data_that_is_neither_here_nor_reachable(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    import httpx
    import huggingface_hub

    def unreachable(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("no network")

    monkeypatch.setattr(httpx, "head", unreachable)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    said = write(tmp_path / "said.jsonl", [{"id": "1", "response": "A"}])
    code, error = bench("emma", "--responses", said)
    assert code == 4 and "luckychao/EMMA (Math), split test, 2,788 rows, cannot be loaded" in error
    assert "https://huggingface.co/datasets/luckychao/EMMA" in error and "--data" in error


def test_an_unknown_benchmark_has_a_neighbour(bench: Bench, official: Path) -> None:
    code, error = bench("mathvisto", "--responses", official)
    assert code == 3 and "Did you mean 'mathvista'?" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mathvista",), "Give exactly one"),
        (("mathvista", "--responses", "a", "--model", "b"), "Give exactly one"),
        (("--responses", "a"), "No benchmark is named"),
        (("mathvista", "mathvision", "--responses", "a"), "of one benchmark"),
        (("--power", "0.5"), "--power is 0.5"),
        (("mathvista", "--responses", "a", "--max-tokens", "9"), "--max-tokens has no effect with --responses"),
        (("--rescore", "a", "--data", "b"), "--data has no effect with --rescore"),
        (("mathvista", "--responses", "a", "--judge-url", "http://x"), "--judge-url is given without --judge"),
        (("mathvista", "--responses", "absent.jsonl"), "does not exist"),
    ],
)
def test_what_cannot_be_is_said(bench: Bench, arguments: tuple[str, ...], said: str) -> None:
    code, error = bench(*arguments)
    assert code in (2, 4) and said in error


def test_a_benchmark_may_be_a_file_anywhere(bench: Bench, tmp_path: Path) -> None:
    data = write(tmp_path / "rows.jsonl", [{"id": "a", "q": "2 + 2?", "gold": "4"}])
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        f"use: qa\nsplit: test\nscorings: {{exact: number}}\nprompts: {{default: '{{question}}'}}\n"
        f"source: {{use: table, path: {data}, sizes: {{test: 1}}, columns: {{id: id, question: q, answer: gold}}}}\n"
    )
    said = write(tmp_path / "said.jsonl", [{"id": "a", "response": "The answer is 4."}])
    told = bench(mine, "--responses", said)
    assert (told["benchmark"], told["scores"]["exact"]["accuracy"]) == ("mine", 1.0)


def test_a_benchmark_file_that_is_not_utf_8_is_named(bench: Bench, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_bytes("use: qa  # für mich".encode("latin-1"))
    said = write(tmp_path / "said.jsonl", [{"id": "a", "response": "4"}])
    code, error = bench(mine, "--responses", said)
    assert code == 2 and f"{mine} is not UTF-8 text" in error


def test_a_run_can_be_scored_again(bench: Bench, official: Path, home: Path) -> None:
    first = bench("mathvista", "--responses", official)
    (folder,) = (home / "runs").glob("mathvista-*")
    official.unlink()
    again = bench("--rescore", folder.name)
    assert again["scores"] == first["scores"]
    assert again["protocol_hash"] == first["protocol_hash"]


def test_a_reading_is_asked_for_and_in_the_protocol(
    bench: Bench, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prose = "I compare the two animals in the picture with each other. I see that it is a dog."
    said = write(tmp_path / "said.jsonl", [{"id": row["pid"], "response": prose} for row in VISTA[:1]])
    data = write(tmp_path / "data.jsonl", VISTA[:1])
    asked = ("mathvista", "--responses", said, "--data", data)
    found = {reading: bench(*asked, "--reading", reading) for reading in ("tag", "phrase", "anywhere", "whole")}
    assert {reading: told["protocol"]["extraction"] for reading, told in found.items()} == {
        name: name for name in found
    }
    assert {reading: told["unparsed"] for reading, told in found.items()} == {
        "tag": 1, "phrase": 1, "anywhere": 0, "whole": 0
    }  # fmt: skip
    assert bench(*asked)["protocol"]["extraction"] == "anywhere"
    assert run(["bench", *map(str, asked), "--reading", "phrase"]) == 0
    assert "Warning: 1 of 1 responses (100%) are unparsed" in capsys.readouterr().err
    names = [f"mathvista-said-{found[reading]['protocol_hash'][:8]}" for reading in ("phrase", "anywhere")]
    assert run(["compare", *names]) == 2
    assert "extraction: phrase and anywhere" in capsys.readouterr().err
    assert run(["compare", *names, "--force"]) == 0
    assert "Warning: A: 1 of 1 responses" in capsys.readouterr().err


def test_a_reading_of_extracted_answers_is_refused(bench: Bench, official: Path) -> None:
    code, error = bench("mathvista", "--responses", official, "--reading", "anywhere")
    assert code == 2 and "--reading has no effect" in error


def test_a_benchmark_names_its_reading(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "use: qa\nsplit: test\nreading: anywhere\nscorings: {strict: answer}\nprompts: {default: '{question}'}\n"
        "source: {use: table, path: d.jsonl, columns: {id: id, question: question, answer: answer}}\n"
    )
    data = write(tmp_path / "d.jsonl", [{"id": "1", "question": "?", "answer": "7"}])
    prose = "First I count the red ones and then the blue ones. Together there are 7 of them."
    said = write(tmp_path / "said.jsonl", [{"id": "1", "response": prose}])
    told = bench(tmp_path / "mine.yaml", "--responses", said, "--data", data)
    assert (told["protocol"]["extraction"], told["correct"]) == ("anywhere", 1)


def test_a_run_can_be_scored_by_another_protocol(bench: Bench, official: Path, home: Path, tmp_path: Path) -> None:
    bench("mathvista", "--responses", official)
    (folder,) = (home / "runs").glob("mathvista-*")
    mine = tmp_path / "as-published.yaml"
    mine.write_text(
        "use: qa\nsplit: testmini\nscorings: {published: mathvista-official}\n"
        "prompts: {default: '{question}'}\n"
        "source: {use: table, dataset: some/where, columns: {id: pid, question: question, answer: answer}}\n"
    )
    told = bench(mine, "--rescore", folder.name)
    assert (told["benchmark"], list(told["scores"])) == ("as-published", ["published"])
    assert (told["n"], told["scores"]["published"]["correct"]) == (4, 3)
    (other,) = (home / "runs").glob("as-published-*")
    assert bench(mine, "--rescore", other.name)["scores"] == told["scores"]
    assert bench("--rescore", other.name)["scores"] == told["scores"]
    code, error = bench("mathvision", "--rescore", folder.name)
    assert code == 2 and "The run is of the benchmark mathvista, not mathvision." in error


def test_data_that_lacks_a_part_of_its_split_is_no_secret(bench: Bench, tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", [*VISTA, {**VISTA[0], "pid": "5", "choices": "['cat', "}])
    said = write(tmp_path / "said.jsonl", [{"id": "1", "response": "B"}])
    told = bench("mathvista", "--responses", said, "--data", data)
    assert "the data has 5 of the split's 1,000 questions; the score is over these" in told["notes"]
    assert (told["n"], told["failed"]) == (5, {"5": 'choices cannot be read: write a JSON list, such as ["a", "b"]'})
    assert told["scores"]["strict"]["bounds"] == [0.2, 0.4]


def test_compare(bench: Bench, official: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench("mathvista", "--responses", official)
    other = official.with_name("output_other.json")
    rows = json.loads(official.read_text())
    rows["2"]["extraction"] = "4"
    rows["4"]["extraction"] = "[1, 2]"
    other.write_text(json.dumps(rows))
    bench("mathvista", "--responses", other)
    a, b = sorted(path.name for path in (home / "runs").iterdir())
    assert run(["compare", a, b, "--scoring", "official", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [flip["id"] for flip in told["won"]] == ["4"] and [flip["id"] for flip in told["lost"]] == ["2"]
    assert run(["compare", a, "nothing"]) == 2
    assert run(["compare", a, b]) == 0
    assert "McNemar's p" in capsys.readouterr().out


def test_a_split_without_public_answers_gives_a_submission(bench: Bench, tmp_path: Path, home: Path) -> None:
    data = write(tmp_path / "test.jsonl", [{**row, "answer": ""} for row in VISTA])
    said = write(
        tmp_path / "said.jsonl", [{"id": "1", "response": "\\boxed{B}"}, {"id": "2", "response": "\\boxed{3.7}"}]
    )
    told = bench("mathvista", "--split", "test", "--responses", said, "--data", data)
    assert [counts["accuracy"] for counts in told["scores"].values()] == [None, None]
    assert "the answers to these questions are not public" in told["notes"][-1]
    (file,) = home.glob("runs/*/submission.json")
    assert json.loads(file.read_text()) == {"1": "dog", "2": "3", "3": "", "4": ""}


def test_a_limit_takes_as_many_of_each_category_whatever_the_order(bench: Bench, tmp_path: Path) -> None:
    rows = [{"id": f"{n}", "question": f"{n}?", "answer": "1", "level": "ab"[n > 9], "kind": "xyz"[n % 3]}
            for n in range(12)]  # fmt: skip
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "use: qa\nsplit: train\nscorings: {exact: answer}\nbreakdown: [level, kind]\n"
        "source: {use: rows, path: rows.jsonl}\n"
    )
    said = write(tmp_path / "said.jsonl", [{"id": row["id"], "response": "1"} for row in rows])
    chosen: dict[int, list[Any]] = {}
    for limit in (4, 6, 99):
        for order in (rows, rows[::-1]):
            write(tmp_path / "rows.jsonl", order)
            told = bench(mine, "--responses", said, "--limit", str(limit))
            assert told["protocol"]["data"]["limit"] == limit and told["n"] == min(limit, 12)
            chosen.setdefault(limit, []).append(
                {key: {value: each["n"] for value, each in of.items()} for key, of in told["breakdown"].items()}
            )
    assert chosen[4][0] == chosen[4][1] and chosen[4][0]["level"] == {"a": 2, "b": 2}
    assert chosen[6] == [{"level": {"a": 4, "b": 2}, "kind": chosen[6][0]["kind"]}] * 2
    assert chosen[99][0]["level"] == {"a": 10, "b": 2}


def test_a_file_names_and_limits_a_benchmark_and_the_command_line_overrides_it(
    bench: Bench, official: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "file.yaml"
    mine.write_text(f"use: mathvista\nname: mine\nlimit: 2\ndata: {official.name}\n")
    said = write(tmp_path / "said.jsonl", [{"id": row["pid"], "response": row["answer"]} for row in VISTA])
    for limit, n in ((), 2), (("--limit", "3"), 3):
        told = bench(mine, "--responses", said, *limit)
        assert (told["benchmark"], told["n"], told["correct"]) == ("mine", n, n)


def test_power_tells_how_many_questions_a_difference_needs(bench: Bench) -> None:
    assert bench("--power", "0.02")["items"]["0.2"] == 3923


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_mathvistas_empty_answers_earn_what_is_known_of_them(bench: Bench, tmp_path: Path) -> None:
    rows = json.loads((DATA / "mathvista" / "testmini.json").read_text())
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps({pid: {**row, "response": "", "extraction": ""} for pid, row in rows.items()}))
    scores = bench("mathvista", "--responses", empty)["scores"]
    assert scores["official"]["correct"] == 168
    assert scores["strict"]["correct"] == 0


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("extraction", "correct"), [("null", 159), ("None", 170), ("I cannot determine the answer", 166)]
)
def test_mathvistas_refusals_earn_what_is_known_of_them(
    bench: Bench, tmp_path: Path, extraction: str, correct: int
) -> None:
    rows = json.loads((DATA / "mathvista" / "testmini.json").read_text())
    path = tmp_path / "refusals.json"
    path.write_text(json.dumps({pid: {**row, "response": "?", "extraction": extraction} for pid, row in rows.items()}))
    assert bench("mathvista", "--responses", path)["scores"]["official"]["correct"] == correct


@pytest.mark.parametrize(
    ("published", "gold"),
    [
        (r"$\boxed{\frac{16}{7}}$", r"\frac{16}{7}"), (r"\boxed{\frac{16}{7}}", r"\frac{16}{7}"),
        (r"$\boxed{\boxed{\sqrt{3}}}$", r"\sqrt{3}"), (r"\boxed{$5$}", "5"), (r"$\frac{1}{2}$", r"\frac{1}{2}"),
        ("\x0crac{1}{2}", r"\frac{1}{2}"), (r"\frac{360}7", r"\frac{360}7"), ("69{degrees}", "69"), ("11 ", "11"),
        ("12squareinches", "12"), ("1:2", "1:2"), ("(3,-4)", "(3,-4)"), ("C", "C"), (r"$$\boxed{2}$$", "2"),
    ],
)  # fmt: skip
def test_golds_in_the_shapes_of_mathvisions_test_split(
    bench: Bench, tmp_path: Path, home: Path, published: str, gold: str
) -> None:
    row = {"id": "1", "question": "?", "options": [], "answer": published, "subject": "algebra", "level": 1}
    said = write(tmp_path / "said.jsonl", [{"id": "1", "response": f"\\boxed{{{gold}}}"}])
    told = bench("mathvision", "--responses", said, "--data", write(tmp_path / "data.jsonl", [row]))
    (rows,) = home.glob("runs/*/rows.jsonl")
    assert [row["example"]["answer"] for row in read_rows(rows)] == [gold]
    assert told["scores"]["strict"]["correct"] == 1


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("name", "data", "wrong"),
    [
        # two questions of MathVista have letters in brackets for choices, in another order than A, B, C
        ("mathvista", "mathvista/testmini.json", {"strict": set(), "official": {"168", "849"}}),
        ("mathvision", "mathvision/testmini.jsonl", {"strict": set(), "official": set()}),
        ("mathverse", "mathverse/testmini_text_only.json", {"strict": set()}),
    ],
)
def test_the_golds_of_the_real_data_are_right(
    bench: Bench, tmp_path: Path, home: Path, name: str, data: str, wrong: dict[str, set[str]]
) -> None:
    id_key = {"mathvista": "pid", "mathvision": "id", "mathverse": "sample_index"}[name]
    said = [{"id": row[id_key], "response": f"\\boxed{{{row['answer']}}}"} for row in read_rows(DATA / data)]
    bench(name, "--responses", write(tmp_path / "said.jsonl", said), "--data", DATA / data)
    (folder,) = (home / "runs").iterdir()
    found: dict[str, set[str]] = {scoring: set() for scoring in wrong}
    for row in read_rows(folder / "rows.jsonl"):
        for scoring, verdict in row["judged"][0]["verdicts"].items():
            if verdict["status"] != "correct":
                found[scoring].add(row["example"]["id"])
    assert found == wrong
