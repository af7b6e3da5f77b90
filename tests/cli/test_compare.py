"""``openvlt compare`` over what runs have scored, results of ``openvlt bench`` and files of responses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from openvlt.cli import cli
from openvlt.errors import DataError, OpenvltError, UsageError
from openvlt.report.formats import TableFormat, formatted
from openvlt.report.table import Table

OWN = """\
use: qa
split: train
scorings: {strict: answer}
source: {use: rows, path: rows.jsonl}
limit: 20
"""
RECIPE = """\
name: {name}
base: {{id: ./{model}, backend: fake}}
bench:
  - made
  - ./own.yaml
  - {{use: qa, name: few, limit: {limit}, split: train, scorings: {{strict: answer}},
     source: {{use: rows, path: rows.jsonl}}}}
"""
TRAIN = """\
train:
  grpo:
    data: {source: {use: made, n: 16}}
    trainer: {use: copy-grpo, steps: 4}
rewards: {answer: 1.0}
"""


class Home:
    """A home with the runs ``one`` and ``two`` of models that are right in half and in most of their answers."""

    def __init__(self, folder: Path, plugin: Path) -> None:
        self.folder, self.plugin, self.err = folder, plugin, ""
        rows = [{"id": n, "question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(30)]
        self.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        self.write("own.yaml", OWN)
        for model, skill in (("half", 0.5), ("good", 0.9)):
            (folder / model).mkdir()
            self.write(f"{model}/skill.json", json.dumps({"skill": skill}))
        for name, model, limit in (("one", "half", 10), ("two", "good", 8)):
            self.run("train", self.write(f"{name}.yaml", RECIPE.format(name=name, model=model, limit=limit)))

    def write(self, name: str, text: str) -> Path:
        (self.folder / name).write_text(text)
        return self.folder / name

    def run(self, *words: str | Path, **environment: str) -> str:
        runner = CliRunner(env={"OPENVLT_HOME": str(self.folder / "home"), "HF_HUB_OFFLINE": "1", **environment})
        result = runner.invoke(cli, ["--plugin", str(self.plugin), *map(str, words)])
        self.err = result.stderr
        if result.exception is not None:
            raise result.exception
        return result.stdout

    def compare(self, *words: str | Path) -> Any:
        return json.loads(self.run("compare", *words, "--json"))


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, fake_plugin: Path) -> Home:
    return Home(tmp_path_factory.mktemp("compared"), fake_plugin)


@pytest.fixture
def home(filled: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(filled.folder)
    return filled


def test_runs_are_compared_on_every_benchmark_that_both_were_scored_on(home: Home) -> None:
    found = home.compare("one/base", "two/base")
    assert [(each["benchmark"], each["n"]) for each in found] == [("made", 12), ("own", 20)]
    assert "Skipped: On few the questions differ: B lacks 2 of A, such as 7, 24. Score both on the same" in home.err
    shown = home.run("compare", "one/base", "two/base")
    assert "made (exact), 12 questions in both" in shown and "own (strict), 20 questions in both" in shown
    assert "one/base\nB" in shown and "two/base\n" in shown


def test_other_limits_are_compared_by_force(home: Home) -> None:
    found = home.compare("one/base", "two/base", "--benchmark", "few", "--force")
    assert (found["n"], found["only_a"], found["only_b"]) == (8, 2, 0)
    assert "B lacks 2 of A, such as 7, 24" in found["protocol_differences"][-1]


def test_a_run_alone_is_its_last_model(home: Home) -> None:
    found = home.compare("run:one", "two", "--benchmark", "own")
    assert (found["a"], found["b"]) == ("one/base", "two/base")


def test_a_baseline_is_compared_and_what_differs_by_design_is_said(home: Home) -> None:
    found = home.compare("one/blind", "one/base")
    (record,) = [each for each in json.loads(home.run("runs", "--json")) if each["name"] == "one"]
    (base,) = [each for each in record["scores"] if (each["benchmark"], each["stage"]) == ("made", "base")]
    assert [found["difference"], *found["ci95"]] == pytest.approx(base["versus"]["blind"])
    assert "prompt: none and base" in found["expected_differences"] and found["protocol_differences"] == []


def test_a_run_is_compared_with_a_result_of_bench(home: Home) -> None:
    home.run("bench", "own.yaml", "--model", "run:one/base", "--limit", "20")
    result = next((home.folder / "home" / "runs").glob("own-*"))
    for name in (result.name, result, result / "result.json"):
        found = home.compare("two/base", name)
        assert (found["benchmark"], found["n"]) == ("own", 20)
    there = home.compare("two/base", "one/base", "--benchmark", "own")
    assert (found["difference"], found["won"]) == (there["difference"], there["won"])
    said = home.write("again.jsonl", json.dumps({"id": 1, "response": "2"}))
    assert home.compare(result.name, said)["accuracy"][1] == 0.05


def test_every_name_that_one_command_prints_is_taken_by_the_others(home: Home) -> None:
    said = home.write("mine.jsonl", "".join(json.dumps({"id": n, "response": str(n)}) + "\n" for n in range(20)))
    for benchmark in ("own.yaml", "other.yaml"):
        home.write("other.yaml", OWN)
        home.run("bench", benchmark, "--responses", said)
    own, other = (next((home.folder / "home" / "runs").glob(f"{name}-mine-*")).name for name in ("own", "other"))
    printed = []
    for words in ([own], [own, "one"], [own, other], [str(home.folder / "home" / "runs" / own)]):
        lines = home.run("table", *words, "--format", "csv").splitlines()[1:]
        printed += [line.split(",")[0] for line in lines]
    assert {f"{own}/mine", "one/base", "mine"} < set(printed)
    for name in dict.fromkeys([own, f"run:{own}", *printed]):
        assert home.run("table", name)
        assert home.run("runs", name) == home.run("runs", "show", name)
        if name != "one/blind":
            assert home.compare(name, "two/base", "--benchmark", "own")["n"] == 20
    assert "score-own" in home.run("runs", own) and "score-own" not in home.run("runs", "one/base")
    with pytest.raises(UsageError, match=rf"There is no run or benchmark result '{own[:-1]}'\. Did you mean '{own}'"):
        home.run("runs", own[:-1])
    with pytest.raises(UsageError, match=f"The result '{own}' is of no model 'mime'. It is of 'mine'."):
        home.compare(f"{own}/mime", "two")
    home.run("bench", "own.yaml", "--responses", said, "--reading", "whole")
    with pytest.raises(UsageError, match=r"'mine' has several results on own\. Name one: own-mine-\w+ or own-mine-"):
        home.compare("mine", "two")


def test_a_table_says_where_scores_are_over_other_questions(home: Home) -> None:
    home.run("table", "one/base", "two/base")
    assert "few: the scores are not over the same questions (10 of one/base; 8 of two/base)" in home.err
    assert "own: " not in home.err


def test_a_file_of_responses_is_scored_as_the_run_was(home: Home) -> None:
    rows = [{"id": n, "response": f"The answer is {n + 1 + n % 2}."} for n in range(20)]
    said = home.write("said.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    found = home.compare(said, "two/base", "--benchmark", "own")
    assert (found["n"], found["accuracy"][0]) == (20, 0.5)
    assert found["expected_differences"][0] == "prompt: unknown and base"
    there = home.compare("two/base", said, "--benchmark", "own")
    assert there["difference"] == -found["difference"] and [flip["id"] for flip in there["lost"]] == [
        flip["id"] for flip in found["won"]
    ]


def test_a_page_has_the_models_of_a_run_side_by_side_or_one_alone(home: Home) -> None:
    def groups(name: str) -> list[dict[str, Any]]:
        home.run("report", name, "--out", "page.html")
        text = (home.folder / "page.html").read_text()
        return json.loads(text.split('id="data">')[1].split("</script>")[0])  # type: ignore[no-any-return]

    for name, models in (("run:one", ["blind", "base"]), ("one/base", ["base"])):
        found = groups(name)
        assert [each["title"] for each in found] == ["made", "own", "few"]
        assert all(each["models"] == models[-len(each["models"]) :] for each in found)
        assert found[0]["models"] == models and len(found[1]["questions"]) == 20
        assert all(len(each["answers"]) == len(models) for each in found[0]["questions"])
    with pytest.raises(OpenvltError, match="'onne'"):
        groups("onne")


MISTAKES = [
    ("one/bsae two", "The run 'one' has scored no model 'bsae'. Did you mean 'base'?"),
    ("one/grpo-1 two", "The run 'one' has scored no model 'grpo-1'. It has scored blind, base."),
    ("onne/base two", "There is no run 'onne' in "),
    ("tow two", "There is no run or benchmark result 'tow'. Did you mean 'two'?"),
    ("../one two", "There is no run or benchmark result '../one'. Did you mean 'one'?"),
    ("zzzzzzzz two", "There is no run or benchmark result 'zzzzzzzz'. 'openvlt runs' lists results and runs; name RUN/MODEL."),
    ("one two --benchmark mad", "'one' and 'two' were not both scored on 'mad'. Did you mean 'made'?"),
    ("one two --scoring exat", "On made a result has no scoring 'exat'. It has exact."),
    ("one nothing.jsonl --benchmark own", "The response file 'nothing.jsonl' does not exist."),
    ("one rows.jsonl", "'one/base' was scored on made, own, few. Name the one that rows.jsonl answers: --benchmark made."),
    ("one rows.jsonl --benchmark ow", "'one/base' was not scored on 'ow'. Did you mean 'own'?"),
    ("rows.jsonl rows.jsonl", "are files of responses, which do not say what they answer. Score one of them first:"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "told"), MISTAKES)
def test_what_cannot_be_compared_is_said(home: Home, words: str, told: str) -> None:
    with pytest.raises(OpenvltError) as caught:
        home.compare(*words.split())
    assert told in str(caught.value)


def test_missing_rows_are_said_where_they_are_needed(home: Home) -> None:
    (record,) = [each for each in json.loads(home.run("runs", "--json")) if each["name"] == "two"]
    (stage,) = [each for each in record["stages"] if each["name"] == "score-own-base"]
    shutil.rmtree(home.folder / "home" / stage["folder"])
    with pytest.raises(DataError, match=r"What 'two/base' answered on own is missing from .* Run its command again"):
        home.compare("one", "two")
    assert home.compare("one", "two", "--benchmark", "made")["n"] == 12
    home.run("train", home.folder / "two.yaml")
    assert home.compare("one", "two", "--benchmark", "own")["n"] == 20


@pytest.mark.slow  # a training in a process of its own
def test_what_was_trained_is_compared_with_the_base_and_an_interrupted_run_says_so(home: Home) -> None:
    recipe = home.write("three.yaml", RECIPE.format(name="three", model="half", limit=10) + TRAIN)
    with pytest.raises(OpenvltError):
        home.run("train", recipe, OPENVLT_FAKE=json.dumps({"trainer": "die"}))
    with pytest.raises(UsageError, match=r"\(failed\) has not scored 'grpo-1' yet. It has scored blind, base; resume"):
        home.compare("three/grpo-1", "one")
    assert home.compare("three/base", "one/base", "--benchmark", "own")["difference"] == 0.0
    home.run("train", recipe)
    found = home.compare("three/base", "three/grpo-1", "--benchmark", "own")
    (record,) = [each for each in json.loads(home.run("runs", "--json")) if each["name"] == "three"]
    (trained,) = [each for each in record["scores"] if (each["benchmark"], each["stage"]) == ("own", "grpo-1")]
    assert [found["difference"], *found["ci95"]] == pytest.approx(trained["versus"]["base"])
    home.run("runs", "prune", "--yes")
    shutil.rmtree(Path(record["model"]))
    assert home.compare("three/base", "three/grpo-1", "--benchmark", "own") == found


def test_a_table_has_models_by_benchmarks(home: Home) -> None:
    lines = home.run("table", "one", "two/base", "--format", "csv", "--mean", "both=made,own").splitlines()
    assert lines[0] == "model,made,own,few,both"
    rows = {line.split(",")[0]: line.split(",")[1:] for line in lines[1:]}
    assert list(rows) == ["one/blind", "one/base", "two/base"] and rows["one/blind"][1:] == ["", "", ""]
    made, own, _, both = map(float, rows["two/base"])
    assert both == pytest.approx((made + own) / 2, abs=0.06)


def test_a_table_is_written_for_papers(home: Home) -> None:
    text = home.run("table", "one", "--interval")
    assert text.split()[:4] == ["model", "made", "own", "few"] and re.search(r"one/base +\d+\.\d \(\d+\.\d - ", text)
    assert home.run("table", "one", "--format", "markdown").startswith("| model | made | own | few |\n| --- |")
    latex = home.run("table", "one", "--format", "latex")
    assert latex.startswith("\\begin{tabular}{lrrr}\n\\toprule\nmodel & made & own & few \\\\\n\\midrule")
    with pytest.raises(UsageError, match=r"No model was scored on 'mad' .*--mean both"):
        home.run("table", "one", "--mean", "both=mad,own")
    with pytest.raises(UsageError, match="'ones'"):
        home.run("table", "ones")


@pytest.mark.parametrize(
    ("format", "cell"),
    [("csv", '"a,""b"""'), ("latex", r"50\% \& x\_1 \textbackslash{}$\{\}"), ("markdown", "a \\| b")],
)
def test_foreign_text_is_escaped_for_each_format(format: TableFormat, cell: str) -> None:
    given = {"csv": 'a,"b"', "latex": "50% & x_1 \\${}", "markdown": "a | b"}[format]
    cell = cell.replace("}$", "}\\$") if format == "latex" else cell
    assert cell in formatted(Table(("model",), [(given,)], labels=1), format)
