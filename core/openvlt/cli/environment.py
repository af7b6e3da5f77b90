"""The packages of this environment, changed by whichever of uv and pip manages it: planned, carried out, undone."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import click

from openvlt.errors import PluginError

_CHANGED = re.compile(r"^ ([-+~]) ([\w.-]+)(?:==| @ )(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one distribution.

    Attributes:
        name: of the distribution.
        before: its version now, None if it is not installed.
        after: its version or address then, None if it is removed.
        origin: what installs it as it is now: a requirement, or an option and a path; empty if it is not installed.
    """

    name: str
    before: str | None
    after: str | None
    origin: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.before or '(none)'} -> {self.after or '(none)'}"


@dataclass(frozen=True, slots=True)
class Manager:
    """The program that manages this environment.

    Attributes:
        command: how it is run.
        is_uv: True for uv, False for pip.
    """

    command: tuple[str, ...]
    is_uv: bool

    @classmethod
    def find(cls) -> Manager:
        """Find uv or pip.

        Raises:
            PluginError: neither manages this environment.
        """
        uv = os.environ.get("UV") or shutil.which("uv")
        if uv and (_made_by_uv() or not find_spec("pip")):
            return cls((uv, "pip"), True)
        if find_spec("pip"):
            return cls((sys.executable, "-m", "pip"), False)
        raise PluginError(f"Neither uv nor pip manages {sys.executable}.", "Install uv, or run 'python -m ensurepip'.")

    def upgrade(self, name: str) -> tuple[str, ...]:
        """The options that allow a newer version of one distribution, and of others only where it needs that."""
        return ("--upgrade-package", name) if self.is_uv else ("--upgrade", "--upgrade-strategy", "only-if-needed")

    def plan(self, *arguments: str) -> list[Change]:
        """What an installation would change, without doing it.

        Raises:
            PluginError: there is no such package, or it does not fit this environment.
        """
        dry = ["--dry-run"] if self.is_uv else ["--dry-run", "--quiet", "--report", "-"]
        command = self._full("install", *dry, *arguments)
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            click.echo(done.stderr.rstrip(), err=True)
            raise _failed(command, done.returncode)
        if self.is_uv:
            found = _CHANGED.findall(done.stderr)
            after = {name: None for sign, name, _ in found if sign == "-"}
            after |= {name: version for sign, name, version in found if sign != "-"}
        else:
            packages = [each["metadata"] for each in json.loads(done.stdout)["install"]]
            after = {package["name"]: package["version"] for package in packages}
        return [_change(name, version) for name, version in after.items()]

    def install(self, *arguments: str) -> None:
        """Install, and show the command."""
        self._run(self._full("install", *arguments))

    def uninstall(self, *names: str) -> None:
        """Remove distributions, and show the command."""
        self._run(self._full("uninstall", *[] if self.is_uv else ["--yes"], *names))

    def undo(self, changes: Sequence[Change]) -> None:
        """Put everything back that an installation changed."""
        if back := [argument for each in changes for argument in each.origin]:
            self.install("--no-deps", *back)
        if added := [each.name for each in changes if each.before is None]:
            self.uninstall(*added)

    def _full(self, verb: str, *arguments: str) -> list[str]:
        return [*self.command, verb, *["--python", sys.executable] * self.is_uv, *arguments]

    def _run(self, command: list[str]) -> None:
        click.echo(f"Running: {shlex.join(command)}", err=True)
        if code := subprocess.run(command, check=False).returncode:
            raise _failed(command, code)


def _failed(command: list[str], code: int) -> PluginError:
    return PluginError(f"'{shlex.join(command)}' ended with exit code {code}.", "See its messages above.")


def _change(name: str, after: str | None) -> Change:
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return Change(name, None, after)
    told = json.loads(installed.read_text("direct_url.json") or "{}")
    if "url" not in told:
        return Change(name, installed.version, after, (f"{name}=={installed.version}",))
    editable = told.get("dir_info", {}).get("editable", False)
    return Change(name, installed.version, after, ("--editable", told["url"]) if editable else (told["url"],))


def _made_by_uv() -> bool:
    config = Path(sys.prefix, "pyvenv.cfg")
    return config.is_file() and any(line.startswith("uv =") for line in config.read_text().splitlines())
