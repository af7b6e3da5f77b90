"""An author sees what a component asks, what it is told, and what it makes of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
DOCS = Path(__file__).parents[2] / "docs" / "hooks.md"


@pytest.fixture
def attempt(openvlt: Cli, tmp_path: Path) -> Cli:
    """``openvlt try`` with the plugins of docs/hooks.md: a source of sums, a plain teacher, a backend that echoes."""
    blocks = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    files = []
    for index, block in enumerate(block for block in blocks if "@hookimpl" in block and "register(" in block):
        files.append(tmp_path / f"documented_{index}.py")
        files[-1].write_text(block)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        plugins = [word for file in files for word in ("--plugin", str(file))]
        return openvlt(*plugins, "try", *arguments, OPENVLT_HOME=str(tmp_path / "home"))

    return run


ECHO = "{id: parrot, backend: echo}"


def test_a_source(attempt: Cli) -> None:
    process = attempt("source", "sums", "--limit", "2", "--set", "largest=5")
    assert process.returncode == 0, process.stderr
    results = re.findall(r"^--- result\n(\{.*?^\})", process.stdout, re.MULTILINE | re.DOTALL)
    assert [json.loads(result)["question"] for result in results] == ["What is 0 + 0?", "What is 1 + 1?"]


def test_a_teacher_with_messages_reply_and_trace(attempt: Cli, tmp_path: Path) -> None:
    process = attempt(
        "teacher", "plain", "--source", "sums", "--limit", "1", "--model", ECHO,
        "--caption", "Two zeros. <answer>0</answer>",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "model parrot on echo" in process.stdout
    asked, replied = re.findall(r"^--- (?:user|reply [^\n]*)\n(.*?)(?=\n---)", process.stdout, re.MULTILINE | re.DOTALL)
    assert asked.startswith("Two zeros.")
    assert replied == asked, "the backend echoes"
    assert json.loads(process.stdout.partition("--- result\n")[2])["answer"] == "0"
    assert not (tmp_path / "home").exists(), "nothing is cached"


def test_a_verifier_judges_the_gold_answer_or_a_response(attempt: Cli) -> None:
    right = attempt("verifier", "same-letters", "--source", "sums", "--limit", "1")
    assert right.returncode == 0, right.stderr
    assert right.stdout.count('"status": "correct"') == 2, "its own verdict, and that of the verifier answer"
    wrong = attempt("verifier", "same-letters", "--source", "sums", "--limit", "1", "--response", "<answer>7</answer>")
    assert "'7' has other letters" in wrong.stdout


def test_a_fact_that_a_program_tells(attempt: Cli) -> None:
    process = attempt("fact", "darkness", "--source", "sums", "--limit", "2")
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("--- result\nno value") == 2, "they have no images"


def test_a_fact_that_a_model_tells_with_messages_and_reply(attempt: Cli) -> None:
    process = attempt("fact", "steps", "--source", "sums", "--limit", "1", "--model", ECHO)
    assert process.returncode == 0, process.stderr
    assert "--- user\nHow many steps does this take?" in process.stdout
    assert "--- reply\nHow many steps" in process.stdout and "rejected: no number" in process.stdout


def test_a_backend(attempt: Cli) -> None:
    process = attempt("backend", "echo", "--source", "sums", "--limit", "1", "--model", "anything")
    assert process.returncode == 0, process.stderr
    assert "--- reply (stop, 0 tokens)\nWhat is 0 + 0?" in process.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("teacher", "plain"), "A teacher needs examples. Add --source NAME"),
        (("teacher", "plain", "--source", "sums", "--model", ECHO), "reads captions. Add --caption TEXT"),
        (("backend", "echo", "--source", "sums"), "A backend needs a model"),
        (("source", "sums", "--set", "largest"), "has no '='"),
        (("source", "sums", "--set", "largest=[1"), "is not YAML"),
        (("source", "sums", "--split", "trian"), "has no split 'trian'. Did you mean 'train'?"),
        (("filter", "no-lists"), "cannot be tried"),
        (("fact", "pass_rate", "--source", "sums"), "samples chains, which a recipe's teacher writes"),
        (("source", "sums", "--model", ECHO), "no option 'model'"),
    ],
)
def test_what_is_missing(attempt: Cli, arguments: tuple[str, ...], said: str) -> None:
    process = attempt(*arguments)
    assert process.returncode == 2
    assert said in process.stderr
