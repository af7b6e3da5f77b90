"""A user's error is two sentences and an exit code; a traceback only shows with --debug."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]

FAILING = """
from dataclasses import dataclass, field
from openvlt import Claim, Verdict, Verifier, hookimpl

@dataclass(frozen=True)
class Odd(Verifier):
    table: dict = field(default_factory=lambda: 1 / 0)
    def verify(self, claim: Claim) -> Verdict:
        return Verdict.correct()

@hookimpl
def register_verifiers(register):
    register("odd", Odd, summary="its default cannot be made")
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        file = tmp_path / "mine.py"
        file.write_text(text)
        return file

    return write


def test_an_unknown_command_offers_the_closest(openvlt: Cli) -> None:
    process = openvlt("list-plugin")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == "Error: There is no command 'list-plugin'. Did you mean 'list-plugins'?\n"


def test_a_plugin_file_that_does_not_exist(openvlt: Cli, tmp_path: Path) -> None:
    process = openvlt("--plugin", tmp_path / "none.py", "list-plugins")
    assert process.returncode == 2
    assert process.stderr == f"Error: Plugin file '{tmp_path}/none.py' does not exist. Name an existing .py file.\n"


def test_an_unexpected_error_is_one_line_and_a_traceback_with_debug(
    openvlt: Cli, plugin: Callable[[str], Path]
) -> None:
    arguments = ("--plugin", plugin(FAILING), "describe", "verifier", "odd")
    process = openvlt(*arguments)
    assert process.returncode == 1
    assert process.stderr == (
        "Error: unexpected ZeroDivisionError: division by zero. Run again with --debug to see where it comes from.\n"
    )
    debugged = openvlt(*arguments, "--debug")
    assert debugged.returncode == 1
    assert "Traceback" in debugged.stderr
    assert "1 / 0" in debugged.stderr


def test_a_user_error_has_a_traceback_with_debug(openvlt: Cli) -> None:
    assert "Traceback" not in openvlt("describe", "verifier", "nothing").stderr
    debugged = openvlt("--debug", "describe", "verifier", "nothing")
    assert debugged.returncode == 3
    assert "Traceback" in debugged.stderr


def test_interrupted(openvlt: Cli, plugin: Callable[[str], Path]) -> None:
    process = openvlt("--plugin", plugin("raise KeyboardInterrupt"), "list-plugins")
    assert (process.returncode, process.stderr.strip()) == (130, "Interrupted.")


@pytest.mark.parametrize("ends", ["raise SystemExit(9)", "import os; os._exit(9)"])
def test_a_plugin_that_exits_or_prints_spoils_nothing(openvlt: Cli, plugin: Callable[[str], Path], ends: str) -> None:
    process = openvlt("--plugin", plugin(f"print('hello')\n{ends}"), "list-plugins", "--json")
    assert process.returncode == 0
    assert process.stdout.startswith("[")
    assert '"reason": "SystemExit: 9"' in process.stdout


@pytest.mark.parametrize(("status", "code"), [(0, 1), (7, 7)])
def test_a_thread_that_ends_the_process_does_end_it(
    openvlt: Cli, plugin: Callable[[str], Path], status: int, code: int
) -> None:
    """As watchdogs of libraries do: `SystemExit` would end the thread alone, and the command would wait for ever."""
    watched = f"import os, threading, time\nthreading.Thread(target=os._exit, args=({status},)).start()\ntime.sleep(60)"
    assert openvlt("--plugin", plugin(watched), "list-plugins").returncode == code


ENDING = """
import os
from dataclasses import dataclass, field
from openvlt import AnswerVerifier, Benchmark, Example, Source, Trainer, Verdict, Verifier, hookimpl

@dataclass(frozen=True)
class Rows(Source):
    ends: bool = False
    def examples(self, split):
        if self.ends: os._exit(0)
        yield Example(id="1", question="?", answer="1")

@dataclass(frozen=True)
class Test(Benchmark):
    split, scorings = "train", {"exact": "answer"}
    source = Rows()
    def messages(self, example, format): os._exit(0)

@dataclass(frozen=True)
class Quick(AnswerVerifier):
    inline = True
    def quick(self, answer, claim):
        if os.fork() == 0: os._exit(0)  # its child may end
        assert os.wait()[1] == 0
        os._exit(0)
    def check(self, answer, claim): return Verdict.correct()

@dataclass(frozen=True)
class Built(Verifier):
    table: dict = field(default_factory=lambda: os._exit(0))
    def verify(self, claim): return Verdict.correct()

@dataclass(frozen=True)
class Trains(Trainer):
    reads = "prompts"
    def train(self, job): os._exit(0)

@hookimpl
def register_sources(register): register("ending", Rows, summary="rows")
@hookimpl
def register_benchmarks(register): register("test", Test, summary="asks nothing")
@hookimpl
def register_verifiers(register):
    register("quick", Quick, summary="ends"); register("built", Built, summary="is not built")
@hookimpl
def register_trainers(register): register("trains", Trains, summary="ends")
"""


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["check", "PLUGIN", "--set", "ending.ends=true", "--kind", "source"], 3, "raises SystemExit"),
        (["verify", "--verifier", "quick", "1", "<answer>1</answer>"], 0, "failed in quick: SystemExit: 0 (mine.py:"),
        (["describe", "verifier", "built"], 1, "unexpected SystemExit: 0."),
        (["try", "source", "ending", "--set", "ends=true"], 3, "SystemExit: 0 (mine.py:"),
        (["bench", "test", "--model", "MODEL", "--backend", "fake"], 4, "SystemExit: 0 (mine.py:"),
        pytest.param(
            ["train", "RECIPE", "--set", "train.grpo.data.source.ends=true"],
            3,
            "SystemExit: 0 (mine.py:",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["train", "RECIPE"], 1, "The training process of grpo-1 ended with code 0", marks=pytest.mark.slow
        ),
    ],
)
def test_only_the_command_itself_ends_with_success(
    openvlt: Cli, plugin: Callable[[str], Path], fake_plugin: Path, fake_model: Path, tmp_path: Path,
    words: list[str], code: int, told: str,
) -> None:  # fmt: skip
    """A component that ends the process is one that fails, in every command."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: any\nbase: {{id: {fake_model}, backend: fake}}\nrewards: {{answer: 1.0}}\n"
        "train: {grpo: {trainer: {use: trains}, data: {source: {use: ending}}}}\n"
    )
    file = plugin(ENDING)
    (fake_model / "config.json").write_text("{}")
    names = {"PLUGIN": file, "RECIPE": recipe, "MODEL": fake_model}
    plugins = ["--plugin", fake_plugin] + (["--plugin", file] if "check" not in words else [])
    found = openvlt(*plugins, *(names.get(word, word) for word in words), OPENVLT_HOME=str(tmp_path / "home"))
    assert (found.returncode, told in found.stdout + found.stderr) == (code, True), found.stdout + found.stderr


def test_the_version(openvlt: Cli) -> None:
    process = openvlt("--version")
    assert process.returncode == 0
    assert process.stdout.startswith("openvlt 0.")
