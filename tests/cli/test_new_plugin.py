"""The skeleton is a plugin: it installs, loads, and its own tests and types are right, whatever its kinds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from openvlt.cli.new_plugin import PARTS, write_skeleton

Cli = Callable[..., subprocess.CompletedProcess[str]]


def python(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_generated_package_works(openvlt: Cli, install_into: Callable[..., None], tmp_path: Path) -> None:
    process = openvlt("new-plugin", "few-words", "--into", tmp_path)
    assert process.returncode == 0, process.stderr
    folder = tmp_path / "openvlt-few-words"
    assert f"openvlt install -e {folder}" in process.stdout

    tested = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout
    assert "5 passed" in tested.stdout

    install_into(tmp_path / "site", folder)
    there = {"PYTHONPATH": str(tmp_path / "site")}
    (mine,) = [
        each for each in json.loads(openvlt("list-plugins", "--json", **there).stdout) if each["name"] == "few_words"
    ]
    assert (mine["status"], mine["distribution"], mine["components"][0]["name"]) == (
        "ok", "openvlt-few-words", "few-words",
    )  # fmt: skip
    assert "full score up to" in openvlt("describe", "verifier", "few-words", **there).stdout
    checked = openvlt("check", folder, "--json", **there)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    found = json.loads(checked.stdout)
    assert (found["passed"], [each["outcome"] for each in found["components"]]) == (True, ["passed"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", PARTS)
def test_a_package_of_each_kind_passes_its_tests_at_once(kind: str, tmp_path: Path) -> None:
    folder = write_skeleton("mine", tmp_path, [kind])
    tested = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout


@pytest.mark.slow
def test_a_package_of_all_kinds_is_typed_and_a_wrong_name_is_an_error(tmp_path: Path) -> None:
    folder = write_skeleton("mine", tmp_path, list(PARTS))
    checked = python(folder, "-m", "mypy", "--strict")
    assert checked.returncode == 0, checked.stdout
    linted = python(folder, "-m", "ruff", "check", "--isolated", "--line-length", "120", "--select", "E,F,W,UP,B", ".")
    assert linted.returncode == 0, linted.stdout
    (folder / "src" / "openvlt_mine" / "wrong.py").write_text("from openvlt import Run, Verifer\n")
    wrong = python(folder, "-m", "mypy", "--strict").stdout
    assert 'Module "openvlt" has no attribute "Verifer"' in wrong and '"Run"' not in wrong


@pytest.mark.parametrize("kind", PARTS)
def test_only_public_names_are_used(kind: str, tmp_path: Path) -> None:
    for file in write_skeleton("mine", tmp_path, [kind]).rglob("*.py"):
        origins = [
            line.split()[1]
            for line in file.read_text().splitlines()
            if line.startswith(("from openvlt", "import openvlt"))
        ]
        assert {origin.partition(".")[0] for origin in origins} <= {"openvlt", "openvlt_mine"}
        assert {origin for origin in origins if origin.startswith("openvlt.")} <= {"openvlt.testing"}


@pytest.mark.parametrize("name", ["Big", "a b", "../up", "1st", "a--b", ""])
def test_a_name_that_cannot_be_one(openvlt: Cli, tmp_path: Path, name: str) -> None:
    process = openvlt("new-plugin", name, "--into", tmp_path)
    assert process.returncode == 2
    assert "is not a valid plugin name" in process.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_prefix_of_a_package_is_no_part_of_the_name(openvlt: Cli, tmp_path: Path) -> None:
    said = openvlt("new-plugin", "openvlt-bar", "--into", tmp_path).stdout
    assert "the plugin is called bar, and its package openvlt-bar" in said
    assert "is called" not in openvlt("new-plugin", "mine", "--into", tmp_path).stdout


def test_nothing_is_overwritten(openvlt: Cli, tmp_path: Path) -> None:
    (tmp_path / "openvlt-mine").mkdir()
    process = openvlt("new-plugin", "openvlt-mine", "--into", tmp_path)
    assert process.returncode == 2
    assert "exists already" in process.stderr
