"""The skeleton is a plugin: it installs, loads, and its own test passes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]


def test_the_generated_package_works(openvlt: Cli, install_into: Callable[..., None], tmp_path: Path) -> None:
    process = openvlt("new-plugin", "few-words", "--into", tmp_path)
    assert process.returncode == 0, process.stderr
    folder = tmp_path / "openvlt-few-words"
    assert f"openvlt install -e {folder}" in process.stdout

    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert "4 passed" in tested.stdout

    install_into(tmp_path / "site", folder)
    listed = json.loads(openvlt("list-plugins", "--json", PYTHONPATH=str(tmp_path / "site")).stdout)
    (mine,) = [plugin for plugin in listed if plugin["name"] == "few_words"]
    assert (mine["status"], mine["distribution"], mine["components"][0]["name"]) == (
        "ok", "openvlt-few-words", "few-words",
    )  # fmt: skip
    described = openvlt("describe", "verifier", "few-words", PYTHONPATH=str(tmp_path / "site"))
    assert "full score up to" in described.stdout


@pytest.mark.parametrize("name", ["Big", "a b", "../up", "1st", "a--b", ""])
def test_a_name_that_cannot_be_one(openvlt: Cli, tmp_path: Path, name: str) -> None:
    process = openvlt("new-plugin", name, "--into", tmp_path)
    assert process.returncode == 2
    assert "is not a valid plugin name" in process.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(openvlt: Cli, tmp_path: Path) -> None:
    (tmp_path / "openvlt-mine").mkdir()
    process = openvlt("new-plugin", "openvlt-mine", "--into", tmp_path)
    assert process.returncode == 2
    assert "exists already" in process.stderr
