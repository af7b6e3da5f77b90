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


def project(folder: Path, name: str, version: str, module: str = "", needs: str = "") -> Path:
    """A distribution with one plugin of the same name; or without a plugin if it has no module."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(module)
    entry = f'[project.entry-points.openvlt]\n{name} = "{name}"\n' if module else ""
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "{version}"\ndependencies = [{needs}]\n{entry}'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    )
    return folder


WORKS = "# a plugin without components\n"


def test_an_installation_that_breaks_a_plugin_is_undone(fresh: Cli, tmp_path: Path) -> None:
    good = project(tmp_path / "one", "tally", "1.0", WORKS)
    assert fresh("install", good).returncode == 0
    bad = project(tmp_path / "two", "tally", "2.0", "import no_such_module\n")
    process = fresh("install", "-U", bad)
    assert process.returncode == 3
    assert "After the installation plugin 'tally' is broken: ModuleNotFoundError" in process.stderr
    assert f"put back (tally 1.0 -> file://{bad})" in process.stderr
    assert names(fresh) == {"tally": "ok"}


def test_other_packages_change_only_when_that_is_allowed(fresh: Cli, tmp_path: Path) -> None:
    base = project(tmp_path / "one", "abacus", "1.0")
    newer = project(tmp_path / "two", "abacus", "2.0")
    first = project(tmp_path / "first", "adds", "1.0", WORKS, f'"abacus @ file://{base}"')
    second = project(tmp_path / "second", "counts", "1.0", WORKS, f'"abacus @ file://{newer}"')
    for path in (first, second):
        text = (path / "pyproject.toml").read_text()
        (path / "pyproject.toml").write_text(text + "[tool.hatch.metadata]\nallow-direct-references = true\n")
    shown = fresh("install", "--dry-run", first)
    assert sorted(shown.stdout.splitlines()) == [
        "2 packages would change.",
        f"abacus (none) -> file://{base}",
        f"adds (none) -> file://{first}",
    ]
    assert names(fresh) == {}
    assert fresh("install", first).returncode == 0

    refused = fresh("install", second)
    assert refused.returncode == 3
    assert (
        f"The installation changes other packages: abacus 1.0 -> file://{newer}. Allow it with --yes." in refused.stderr
    )
    assert names(fresh) == {"adds": "ok"}
    assert fresh("install", "--yes", second).returncode == 0
    assert names(fresh) == {"adds": "ok", "counts": "ok"}
