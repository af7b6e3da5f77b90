"""A recipe that hands a phase to another engine is refused before any work where that cannot be done."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RECIPE = """
name: handed
base: {{id: {model}, backend: fake}}
rewards: {{answer: 1.0}}
train:
  grpo: {{trainer: {{use: verl, python: {python}, prompts: 4, generations: 2, batch: 8}}, data: {{source: {{use: made, n: 8}}}}}}
"""


@pytest.mark.parametrize(
    ("python", "options", "problem"),
    [
        (sys.executable, [], f"Stage grpo-1: The recipe runs {sys.executable}, a program outside openvlt. Allow it"),
        ("/no/python", ["--allow", "engine"], "Stage grpo-1: '/no/python' is no program. Give the path of the Python"),
        (
            sys.executable,
            ["--allow", "engine"],
            f"Stage grpo-1: {sys.executable} has no verl (verl.trainer.main_ppo is",
        ),
    ],
)
def test_a_program_is_refused_before_any_work(
    openvlt: Callable[..., subprocess.CompletedProcess[str]], fake_plugin: Path, fake_model: Path, tmp_path: Path,
    python: str, options: list[str], problem: str,
) -> None:  # fmt: skip
    (fake_model / "config.json").write_text("{}")
    recipe, home = tmp_path / "handed.yaml", tmp_path / "home"
    recipe.write_text(RECIPE.format(model=fake_model, python=python))
    done = openvlt("--plugin", fake_plugin, "train", recipe, *options, OPENVLT_HOME=str(home))
    assert done.returncode == 2
    assert problem in done.stderr
    assert not list(home.glob("stages/*"))
