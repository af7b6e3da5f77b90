"""Which key goes where is the user's decision: what the command line takes, shows and refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # every command imports all plugins

Cli = Callable[..., Any]

KEYS = {"OPENAI_API_KEY": "sk-of-openai-1", "TEACHER_KEY": "sk-of-teacher-2", "AWS_SECRET_ACCESS_KEY": "aws-secret-3"}


@pytest.fixture
def plan(openvlt: Cli, tmp_path: Path) -> Cli:
    """``openvlt train quickstart --plan`` with keys in the environment, and what it says."""

    def run(*words: str | Path, **environment: str) -> Any:
        home = {"OPENVLT_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "COLUMNS": "250"}
        done = openvlt("train", "quickstart", "--plan", *words, **KEYS, **home, **environment)
        assert not any(key in done.stdout + done.stderr for key in KEYS.values())
        return done

    return run


def test_the_plan_tells_which_key_goes_where(plan: Cli) -> None:
    to_openai = plan("--teacher-url", "https://api.openai.com/v1")
    assert "at https://api.openai.com/v1 with $OPENAI_API_KEY" in to_openai.stdout and not to_openai.stderr
    url, bound = "https://teacher.example/v1", ("--key-env", "TEACHER_KEY@teacher.example")
    assert "with $" not in plan("--teacher-url", url).stdout
    assert f"at {url} with $TEACHER_KEY" in plan("--teacher-url", url, *bound).stdout
    assert f"at {url} with $TEACHER_KEY" in plan("--teacher-url", url, OPENVLT_KEYS=bound[1]).stdout


def test_a_key_is_not_sent_unencrypted_unless_allowed(plan: Cli) -> None:
    words = ("--teacher-url", "http://teacher.example:8000/v1", "--key-env", "TEACHER_KEY@teacher.example")
    assert "The key in $TEACHER_KEY would go to teacher.example:8000 unencrypted" in plan(*words).stderr
    assert not plan(*words, "--allow", "http").stderr
    assert "is asked unencrypted (http)" in plan(*words[:2]).stderr


def test_a_cluster_is_named_and_joined_only_if_allowed(plan: Cli) -> None:
    words = ("--set", "executor.use=ray", "--set", "executor.address=ray://teacher.example:10001")
    pytest.importorskip("ray")
    refused, allowed = plan(*words), plan(*words, "--allow", "ray")
    for done in (refused, allowed):
        assert "Models without a URL run on the Ray cluster at ray://teacher.example:10001." in done.stdout
    assert "--allow ray" in refused.stderr and not allowed.stderr
    assert "--allow ray" in plan(*words[:2], RAY_ADDRESS="10.0.0.1:6379").stderr
    assert not plan(*words[:2], RAY_ADDRESS="").stderr


def test_every_command_that_asks_takes_the_options(openvlt: Cli) -> None:
    for command in ("train", "distill", "bench", "try"):
        said = openvlt(command, "--help").stdout
        assert "--key-env NAME@HOST" in said and "--allow [http|ray|engine]" in said
    judged = openvlt(
        "bench", "easy-vqa", "--responses", "none.jsonl", "--judge", "x", "--judge-url", "http://judge.example/v1",
        "--key-env", "TEACHER_KEY@judge.example", **KEYS,
    )  # fmt: skip
    assert judged.returncode == 2 and "unencrypted" in judged.stderr
