"""``openvlt verify`` explains one verdict and judges files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from openvlt import __main__ as main
from openvlt.cli import cli


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["verify", *arguments])


def test_explains_a_verdict() -> None:
    result = run("1/2", "so <answer>0.5</answer>")
    assert result.exit_code == 0
    shown = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert shown == {"verdict": "correct (score 1)", "extracted": "0.5", "tier": "number", "why": "equal"}


def test_a_response_without_tag_or_box_needs_bare() -> None:
    result = run("1/2", "0.5")
    assert "unparsed" in result.stdout
    assert "--bare" in result.stderr
    assert "correct" in run("1/2", "0.5", "--bare").stdout


def test_an_open_tag_is_named_since_no_reading_helps() -> None:
    told = run("red", "<think> <answer>red</answer>", "--reading", "anywhere").stderr
    assert "<think> is never closed" in told and "--reading" not in told and "--bare" in told


def test_a_reading_finds_more() -> None:
    said = {"phrase": "So the answer is 7.", "anywhere": "Both together are 7.", "whole": "seven"}
    for reading, response in said.items():
        assert "unparsed" in run("7", response).stdout
        assert "verdict    correct" in run("7", response, "--reading", reading).stdout


@pytest.mark.parametrize("gold", ["-2", "-2.5", "-x", "-\\frac{1}{2}"])
def test_answers_may_begin_with_a_minus(gold: str) -> None:
    assert "verdict    correct" in run(gold, f"\\boxed{{{gold}}}").stdout
    assert "verdict    correct" in run(gold, gold, "--bare").stdout


def test_an_unknown_option_is_no_answer() -> None:
    for wrong in ("--chioces", "--chioces=A"):
        assert "No such option '--chioces'. Did you mean '--choices'?" in run(wrong, "A", "B").stderr


@pytest.mark.parametrize(
    "choices", [["--choices", "red", "--choices", "blue"], ["--choices", '["red", "blue"]'], ["--choices", "red,blue"]]
)
def test_choices(choices: list[str]) -> None:
    assert "verdict    correct" in run("B", "blue", "--bare", *choices).stdout


def test_type_precision_and_verifier() -> None:
    assert "correct" in run("1.2", "1.24", "--bare", "--type", "float", "--precision", "1").stdout
    assert "bad_gold (score none), caused by the gold" in run("x", "1", "--bare", "--verifier", "number").stdout


def test_unknown_verifier_is_a_plugin_error() -> None:
    assert "anwser" in str(run("1", "1", "--verifier", "anwser").exception)


def test_file_keeps_order_and_goes_on_after_bad_lines(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "gold": "7", "response": "<answer>7</answer>"}',
        "not json",
        '{"gold": 7, "response": "\\\\boxed{8}", "answer_type": "integer"}',
        '{"gold": "7"}',
        '{"id": "c", "gold": "B", "response": "<answer>blue</answer>", "choices": ["red", "blue"]}',
        '{"gold": "7", "response": "7", "answer_type": "number"}',
        "",
        '{"id": "d", "gold": "7", "response": "no tag"}',
    ]
    file = tmp_path / "claims.jsonl"
    file.write_text("\n".join(lines))
    result = run("--file", str(file), "--workers", "2")
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["id"], row["status"], row["extracted"]) for row in rows] == [
        ("a", "correct", "7"),
        (3, "incorrect", "8"),
        ("c", "correct", "blue"),
        ("d", "unparsed", None),
    ]
    assert list(rows[0]) == ["id", "status", "cause", "score", "extracted", "reason", "tier", "seconds"]
    for number in (2, 4, 6):
        assert f"claims.jsonl:{number}:" in result.stderr


def test_a_gold_may_be_a_list_or_an_object(tmp_path: Path) -> None:
    file = tmp_path / "claims.jsonl"
    golds = ["[1, 2, 3, 4]", '{"bbox_2d": [1, 2, 3, 4]}']
    file.write_text(
        "\n".join(f'{{"gold": {gold}, "response": "[1, 2, 3, 4]", "answer_type": "box"}}' for gold in golds)
    )
    rows = [json.loads(line) for line in run("--file", str(file), "--bare").stdout.splitlines()]
    assert [row["status"] for row in rows] == ["correct", "correct"]


@pytest.mark.parametrize(
    "line",
    [
        '{"gold": "7", "response": "7", "precision": Infinity}',
        '{"gold": "7", "response": "7", "precision": 100000000}',
        '{"gold": "7", "response": "7", "unit": ["cm"]}',
        '{"gold": "7", "response": "7", "choices": "AB"}',
        '{"gold": "7", "response": "7", "answer_type": ["float"]}',
        "[" * 100_000,
    ],
)
def test_a_line_that_makes_no_sense_is_left_out(tmp_path: Path, line: str) -> None:
    file = tmp_path / "claims.jsonl"
    file.write_text(f'{line}\n{{"gold": "7", "response": "7"}}\n')
    result = run("--file", str(file), "--bare")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1)
    assert "claims.jsonl:1: skipped:" in result.stderr


def test_what_no_terminal_can_print_is_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "claims.jsonl"
    file.write_text('{"gold": "7", "response": "\\ud800"}')
    assert main.run(["verify", "--file", str(file), "--bare"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["status"], row["extracted"]) == ("incorrect", "\ud800")


def test_a_shaping_verifier_knows_whether_the_answer_is_correct(tmp_path: Path) -> None:
    plugin = tmp_path / "brevity.py"
    plugin.write_text(
        "from dataclasses import dataclass\n"
        "from openvlt import Claim, Verdict, Verifier, hookimpl\n"
        "@dataclass(frozen=True)\n"
        "class Brevity(Verifier):\n"
        "    def verify(self, claim: Claim) -> Verdict:\n"
        "        return Verdict.scored(float(claim.is_correct))\n"
        "@hookimpl\n"
        "def register_verifiers(register):\n"
        "    register('brevity', Brevity, summary='brief')\n"
    )
    command = ["--plugin", str(plugin), "verify", "7", "<answer>7</answer>", "--verifier", "brevity"]
    assert "scored (score 1)" in CliRunner().invoke(cli, command).stdout


def test_a_file_of_which_nothing_can_be_judged(tmp_path: Path) -> None:
    file = tmp_path / "claims.jsonl"
    file.write_text("not json\n")
    assert "No line of" in str(run("--file", str(file)).exception)
    assert "have no effect with --file" in str(run("--file", str(file), "--type", "integer").exception)
