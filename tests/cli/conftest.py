"""The command line as a user has it: a process of its own, with third-party plugins really installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[1] / "plugins"
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def install_into() -> Callable[..., None]:
    """Install packages into a folder, from their sources and without network."""

    def install(folder: Path, *packages: Path) -> None:
        uv = os.environ.get("UV", "uv")
        options = ["--offline", "--quiet", "--no-deps", "--no-build-isolation", "--python", sys.executable]
        subprocess.run([uv, "pip", "install", *options, "--target", str(folder), *map(str, packages)], check=True)

    return install


@pytest.fixture(scope="session")
def all_plugins(tmp_path_factory: pytest.TempPathFactory, install_into: Callable[..., None]) -> Path:
    """A folder with every plugin of tests/plugins installed, the good one and the bad ones."""
    folder = tmp_path_factory.mktemp("site")
    install_into(folder, *(file.parent for file in sorted(PLUGINS.glob("*/pyproject.toml"))))
    return folder


@pytest.fixture
def openvlt() -> Cli:
    """Run ``openvlt`` in a process of its own: ``openvlt("list-plugins", OPENVLT_PLUGINS="")``."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "openvlt", *map(str, arguments)]
        return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def crowded(openvlt: Cli, all_plugins: Path) -> Cli:
    """The same, with every plugin of tests/plugins installed."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return openvlt(*arguments, **{"PYTHONPATH": str(all_plugins), **environment})

    return run


SUMS = """
name: sums
base: {{id: {model}, backend: instant}}
captioner: {{use: qwen-vl, model: {{id: base, backend: instant}}}}
traces:
  data: {{source: {{use: sums, count: 60, pictures: 7}}}}
  teacher: {{use: chat, model: {{id: base, backend: instant}}, k: 3, prompt: "Look: {{caption}} Then: {{question}}"}}
  select: [correct, {{use: per-question, count: 2}}]
verifiers: {{exact: text}}
rewards: {{exact: 1.0}}
reject_above: 0.3
"""


@pytest.fixture(scope="session")
def sums_in() -> Callable[[Path], Callable[..., str]]:
    """Give a folder a home and a recipe that needs no model; returns what runs a command there, in this process.

    The argument ``RECIPE`` stands for the recipe's file; what a command prints is returned, what it raises is raised.
    """
    plugin = Path(__file__).parents[1] / "benchmarks" / "instant.py"

    def inside(folder: Path) -> Callable[..., str]:
        from click.testing import CliRunner

        from openvlt.cli import cli

        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text("{}")
        recipe = folder / "sums.yaml"
        recipe.write_text(SUMS.format(model=folder / "model"))

        def run(*arguments: str | Path) -> str:
            values = [str(recipe) if each == "RECIPE" else str(each) for each in arguments]
            runner = CliRunner(env={"OPENVLT_HOME": str(folder / "home")})
            result = runner.invoke(cli, ["--plugin", str(plugin), *values])
            if result.exception is not None:
                raise result.exception
            return result.stdout

        return run

    return inside


@pytest.fixture
def distilled(sums_in: Callable[[Path], Callable[..., str]], tmp_path: Path) -> Callable[..., str]:
    """Runs a command in a home of its own, in which the recipe of `sums_in` is distilled."""
    command = sums_in(tmp_path)
    command("distill", "RECIPE")
    return command
