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


def test_a_plugin_that_exits_or_prints_spoils_nothing(openvlt: Cli, plugin: Callable[[str], Path]) -> None:
    process = openvlt("--plugin", plugin("print('hello')\nraise SystemExit(9)"), "list-plugins", "--json")
    assert process.returncode == 0
    assert process.stdout.startswith("[")
    assert '"reason": "SystemExit: 9"' in process.stdout


def test_the_version(openvlt: Cli) -> None:
    process = openvlt("--version")
    assert process.returncode == 0
    assert process.stdout.startswith("openvlt 0.")
