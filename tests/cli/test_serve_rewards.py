"""``openvlt serve-rewards`` serves the reward of a recipe until it is asked to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from openvlt.errors import UsageError
from openvlt.integrations import reward_client

RECIPE = """
name: served
base: some/model
verifiers: {close: {use: number, tolerance: 0.5}}
rewards: {answer: 1.0}
routes: {charts: {close: 2.0}}
train:
  grpo: {trainer: {use: grpo}, data: {source: easy-vqa}}
  late: {trainer: {use: grpo}, data: {source: easy-vqa}, rewards: {format: 0.5}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "served.yaml").write_text(RECIPE)
    return tmp_path / "served.yaml"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "ends", "paid"),
    [
        ([], signal.SIGTERM, [1.0, 2.0]),
        (["--phase", "late"], signal.SIGINT, [0.0, 0.0]),
        (["--set", "rewards.answer=3"], signal.SIGTERM, [3.0, 2.0]),
    ],
)
def test_it_serves_the_recipe_and_ends_gracefully(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], ends: signal.Signals, paid: list[float]
) -> None:
    command = [sys.executable, "-m", "openvlt", "serve-rewards", str(recipe), "--port", "0", "--workers", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        monkeypatch.setenv("OPENVLT_REWARDS", server.stdout.readline().split()[-1])
        rows = [
            {"response": "<answer>2</answer>", "ground_truth": "2"},
            {"response": "<answer>2.9</answer>", "ground_truth": "2", "source": "charts"},
        ]
        assert [row["overall"] for row in reward_client.rewards(rows)] == paid
        server.send_signal(ends)
        assert server.wait(600) == 0
        assert server.stderr is not None and server.stderr.read() == ""


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--phase", "lats"], "The recipe served has no phase 'lats'. Did you mean 'late'?"),
        (["--set", "rewards.answer=no"], "--set rewards.answer=no"),
        (["--set", "verifiers.close.tolerance=-1"], "--set verifiers.close.tolerance=-1"),
        (["--host", "203.0.113.1"], "Nothing can listen at 203.0.113.1:8700"),
    ],
)
def test_mistakes_are_refused_with_their_place(
    recipe: Path, openvlt: Callable[..., subprocess.CompletedProcess[str]], options: list[str], problem: str
) -> None:
    done = openvlt("serve-rewards", recipe, *options)
    assert done.returncode == 2
    assert problem in done.stderr


def test_an_export_can_ask_a_server(distilled: Callable[..., str], tmp_path: Path) -> None:
    distilled("export", "sums-distill", "--as", "easyr1", "--out", tmp_path / "out", "--rewards", "http://node:8700/")
    assert sorted(os.listdir(tmp_path / "out")) == ["data", "reward.py"]
    client = (tmp_path / "out" / "reward.py").read_text()
    assert 'URL = "http://node:8700"' in client
    assert "openvlt import" not in client
    with pytest.raises(UsageError, match="--rewards has no effect with --as trl"):
        distilled("export", "sums-distill", "--as", "trl", "--out", tmp_path / "trl", "--rewards", "http://node:8700/")
