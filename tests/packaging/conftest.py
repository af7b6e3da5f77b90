"""The wheel, and environments that hold nothing but what it asks for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = os.environ.get("UV") or shutil.which("uv")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run Python in an environment with the wheel and no extra; needs an index of packages."""
    folder = tmp_path_factory.mktemp("light")
    python = str(folder / "venv" / "bin" / "python")
    make = [UV, "venv", "--python", sys.executable] if UV else [sys.executable, "-m", "venv"]
    install = [UV, "pip", "install", "--python", python] if UV else [python, "-m", "pip", "install"]
    for command in ([*make, str(folder / "venv")], [*install, str(wheel)]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)  # type: ignore[arg-type]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OPENVLT"))}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, *map(str, arguments)], cwd=folder, env=environment | {"OPENVLT_HOME": str(folder / "home")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run
