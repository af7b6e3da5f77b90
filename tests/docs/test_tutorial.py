"""The tutorial for authors works line by line, in an environment of its own, and the pages of the kinds are up to date."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml

from openvlt.interfaces import INTERFACES
from openvlt.registry import Registry

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "plugins"
sys.path.insert(0, str(ROOT / "scripts"))

from kind_pages import classes, methods, pages, register_page  # noqa: E402


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with all packages of this one, in which a plugin may be installed; without network."""
    uv = os.environ.get("UV") or shutil.which("uv") or pytest.skip("needs uv")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, tmp_path / "venv"], check=True)
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    here = sysconfig.get_path("purelib")
    (site / "all.pth").write_text("\n".join([here, *map(str, (ROOT / "core", ROOT / "plugins", ROOT / "tasks"))]))
    for command in ("openvlt", "pytest"):
        module = command if command == "pytest" else "openvlt"
        script = tmp_path / "venv" / "bin" / command
        script.write_text(f'#!/bin/sh\nexec "{tmp_path}/venv/bin/python" -m {module} "$@"\n')
        script.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{tmp_path / 'venv' / 'bin'}:{os.environ['PATH']}",
        "OPENVLT_HOME": str(tmp_path / "home"),
        "VIRTUAL_ENV": str(tmp_path / "venv"),
        "UV_OFFLINE": "1",
    }


@pytest.mark.slow
def test_each_line_of_the_tutorial_does_what_the_page_says(environment: dict[str, str], tmp_path: Path) -> None:
    blocks = re.findall(r"^```console\n(.*?)^```", (DOCS / "tutorial.md").read_text(encoding="utf-8"), re.M | re.S)
    folder = tmp_path
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    options = f"--offline -q --no-deps --no-build-isolation --python {tmp_path}/venv/bin/python"
    for block in blocks:
        for command, said in re.findall(r"^\$ (.*)\n((?:(?!\$).*\n)*)", block, re.M):
            if command.startswith("cd "):
                folder /= command[3:]
                continue
            if command == "openvlt install -e .":  # which would ask an index of packages for the dependencies
                command = f"{uv} pip install {options} -e . && openvlt list-plugins"  # noqa: PLW2901
            done = subprocess.run(
                ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            assert said.strip() in done.stdout, (command, done.stdout, done.stderr)


def test_the_pages_are_what_the_docstrings_say() -> None:
    for name, text in pages().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"run scripts/kind_pages.py: {name}"


def test_each_method_says_when_it_is_called() -> None:
    calls = yaml.safe_load((DOCS / "calls.yaml").read_text(encoding="utf-8"))
    all_methods = {f"{each.__name__}.{name}" for kind in INTERFACES for each in classes(kind) for name in methods(each)}
    assert set(calls) == all_methods
    assert all(len(told) == 4 for told in calls.values())


@pytest.mark.parametrize("kind", INTERFACES)
def test_the_examples_are_plugins(kind: str, tmp_path: Path) -> None:
    text = (DOCS / f"{kind}.md").read_text(encoding="utf-8").partition("## An example")[2]
    for number, example in enumerate(re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)):
        file = tmp_path / f"mine{number}.py"
        hook = f"\n@hookimpl\ndef register_{kind}s(register):\n    register('mine', Mine, summary='mine')\n"
        file.write_text(f"{example}\nfrom openvlt import hookimpl\n{hook}")
        registry = Registry.discover([file])
        assert (registry.plugins[-1].status, registry.plugins[-1].reason) == ("ok", "")
        assert registry.build(kind, f"file:{file.stem}/mine").component  # type: ignore[call-overload]


def test_the_register_is_complete() -> None:
    plugins = yaml.safe_load((DOCS / "register.yaml").read_text(encoding="utf-8"))["plugins"]
    for each in plugins:
        assert set(each) == {"name", "kinds", "repository", "api", "check"}
        assert set(each["kinds"]) <= set(INTERFACES)
        if (folder := ROOT / each["repository"]).is_dir():
            package = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
            (module,) = package["entry-points"]["openvlt"].values()
            plugin = Registry.discover([folder / module / "__init__.py"]).plugins[-1]
            kinds = {entry.kind for entry in plugin.components}
            assert (each["name"], {*each["kinds"]}, each["api"]) == (package["name"], kinds, plugin.api)
    one = {"name": "n", "kinds": ["source"], "repository": "r", "api": 1, "check": {"outcome": "passed", "date": "d"}}
    assert "| `n` | source | r | 1 | passed on d |" in register_page([one])
