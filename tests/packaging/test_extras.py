"""The extras: what one brings can be resolved, and a second ``uv run`` finds nothing to change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = os.environ.get("UV") or shutil.which("uv")
pytestmark = pytest.mark.skipif(UV is None, reason="needs uv")


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["hf", "data", "train", "vllm", "ray", "all"])
def test_each_extra_can_be_resolved(wheel: Path, tmp_path: Path, extra: str) -> None:
    """Nothing is installed: `all` is gigabytes of CUDA libraries, and what can break is that its pins disagree."""
    subprocess.run([UV, "venv", "--python", sys.executable, tmp_path / "venv"], check=True, capture_output=True)  # type: ignore[list-item]
    command = [
        str(UV),
        "pip",
        "install",
        "--dry-run",
        "--python",
        str(tmp_path / "venv"),
        f"openvlt[{extra}] @ {wheel}",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Would install" in done.stderr


def test_a_second_uv_run_changes_nothing() -> None:
    """Whatever `uv run` changed would be pulled from under a training that runs beside it."""
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve() or not (ROOT / "uv.lock").exists():
        pytest.skip("these tests do not run in the environment that uv keeps for this folder")
    # `uv run` syncs like this, and says nothing of what it would do
    command = [str(UV), "sync", "--inexact", "--dry-run", "--project", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Would make no changes" in done.stderr, done.stderr
