"""Installing and removing a plugin, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[1] / "plugins"
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fresh(tmp_path: Path) -> Cli:
    """Run ``openvlt`` in a new uv environment that sees this one's packages."""
    uv = os.environ.get("UV", "uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    visible = [path for path in sys.path if Path(path).is_dir() and Path(path).is_relative_to(sys.prefix)]
    roots = [str(PLUGINS.parents[1] / root) for root in ("core", "plugins", "tasks")]
    (site / "visible.pth").write_text("\n".join([*visible, *roots]))
    environment = {"UV_NO_BUILD_ISOLATION": "1", "UV_OFFLINE": "1"}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(python), "-m", "openvlt", *map(str, arguments)]
        return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)

    return run


def names(cli: Cli) -> dict[str, str]:
    process = cli("list-plugins", "--json")
    return {one["name"]: one["status"] for one in json.loads(process.stdout) if one["origin"] == "dist"}


def test_install_and_uninstall(fresh: Cli) -> None:
    broken = fresh("install", PLUGINS / "fails-on-import")
    assert broken.returncode == 3
    assert "'fails_on_import' is installed but broken: ModuleNotFoundError" in broken.stderr

    good = fresh("install", PLUGINS / "good")
    assert good.returncode == 0, good.stderr
    assert "Running: " in good.stderr
    assert " pip install --python " in good.stderr
    header, line = good.stdout.splitlines()
    assert header.startswith("name")
    assert line.split(maxsplit=4) == ["good", "openvlt-good", "1.2", "ok", "source: sums; verifier: brevity"]
    assert names(fresh) == {"fails_on_import": "broken", "good": "ok"}

    again = fresh("install", PLUGINS / "good")
    assert again.stdout.splitlines()[-1].startswith("good "), "the line shows even if nothing changed"

    gone = fresh("uninstall", "good")
    assert gone.returncode == 0, gone.stderr
    assert gone.stdout == "Removed openvlt-good 1.2 and its plugins: good.\n"
    assert fresh("uninstall", "openvlt-fails-on-import").returncode == 0
    assert names(fresh) == {}


def test_what_cannot_be_installed(fresh: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    process = fresh("install", tmp_path / "empty")
    assert process.returncode == 3
    assert "ended with exit code" in process.stderr
    assert "Traceback" not in process.stderr


def test_what_cannot_be_uninstalled(fresh: Cli) -> None:
    builtin = fresh("uninstall", "answers")
    assert builtin.returncode == 3
    assert builtin.stderr == "Error: Plugin 'answers' is built in. Disable it with OPENVLT_DISABLE_PLUGINS=answers.\n"
    unknown = fresh("uninstall", "nothing")
    assert unknown.returncode == 3
    assert "There is no installed plugin 'nothing'." in unknown.stderr
