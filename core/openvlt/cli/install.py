"""``openvlt install`` and ``openvlt uninstall``, by whichever of uv and pip manages this environment.

Neither loads a plugin in this process, so both work even if installed plugins are broken.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import click

from openvlt.cli.plugins import print_plugins
from openvlt.errors import PluginError, closest
from openvlt.registry.distributions import Distribution, distributions, normalized


@click.command("install")
@click.argument("package")
@click.option("-e", "--editable", is_flag=True, help="Install the folder in place, so that edits take effect at once.")
@click.option("-U", "--upgrade", is_flag=True, help="Install the newest version even if one is installed.")
def install(package: str, editable: bool, upgrade: bool) -> None:
    """Install a plugin from PACKAGE: a name, a folder, a wheel or a URL."""
    before = {(one.name, one.version) for one in distributions()}
    _run("install", *["--upgrade"] * upgrade, *["--editable"] * editable, _as_path(package))
    name = _distribution_name(package)
    found = _plugins_now()
    new = [one for one in found if (one["distribution"], one["version"]) not in before]
    shown = new or [one for one in found if normalized(one["distribution"]) == name]
    if not shown:
        raise PluginError(
            f"'{package}' is installed, but it has no entry point in the group 'openvlt'.",
            "Ask its author whether it is an openvlt plugin.",
        )
    print_plugins(shown)
    for plugin in shown:
        if plugin["status"] in ("broken", "incompatible"):
            raise PluginError(
                f"Plugin '{plugin['name']}' is installed but {plugin['status']}: {plugin['reason']}.",
                f"'openvlt uninstall {plugin['distribution']}' removes it.",
            )


@click.command("uninstall")
@click.argument("name")
def uninstall(name: str) -> None:
    """Remove the installed plugin NAME, given by its own name or its distribution's."""
    distribution = _installed(name)
    _run("uninstall", distribution.name)
    click.echo(
        f"Removed {distribution.name} {distribution.version} and its plugins: {', '.join(distribution.plugins)}."
    )


def _installed(name: str) -> Distribution:
    """The distribution of that name, or of a plugin of that name.

    Raises:
        PluginError: there is none, it is built in, or several have a plugin of that name.
    """
    known = {normalized(one.name): one for one in distributions()}
    builtin = known.pop("openvlt", None)
    if normalized(name) in known:
        return known[normalized(name)]
    found = [one for one in known.values() if normalized(name) in map(normalized, one.plugins)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.name for one in found)
        raise PluginError(f"Several distributions have a plugin '{name}': {names}.", "Name the distribution.")
    if builtin and name in builtin.plugins:
        raise PluginError(f"Plugin '{name}' is built in.", f"Disable it with OPENVLT_DISABLE_PLUGINS={name}.")
    raise PluginError(f"There is no installed plugin '{name}'.", closest(name, [one.name for one in known.values()]))


def _run(verb: Literal["install", "uninstall"], *arguments: str) -> None:
    """Run the manager of this environment, and show its command.

    Raises:
        PluginError: there is no manager, or it fails.
    """
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv and (_made_by_uv() or not find_spec("pip")):
        command = [uv, "pip", verb, "--python", sys.executable, *arguments]
    elif find_spec("pip"):
        command = [sys.executable, "-m", "pip", verb, *(["--yes"] if verb == "uninstall" else []), *arguments]
    else:
        raise PluginError(f"Neither uv nor pip manages {sys.executable}.", "Install uv, or run 'python -m ensurepip'.")
    click.echo(f"Running: {shlex.join(command)}", err=True)
    code = subprocess.run(command, check=False).returncode
    if code:
        raise PluginError(f"'{shlex.join(command)}' ended with exit code {code}.", "See its messages above.")


def _made_by_uv() -> bool:
    config = Path(sys.prefix, "pyvenv.cfg")
    return config.is_file() and any(line.startswith("uv =") for line in config.read_text().splitlines())


def _plugins_now() -> list[dict[str, Any]]:
    """The plugins as a new process finds them; this one cannot see what was just installed."""
    command = [sys.executable, "-m", "openvlt", "list-plugins", "--json"]
    listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    plugins: list[dict[str, Any]] = json.loads(listed)
    return plugins


def _as_path(package: str) -> str:
    """The absolute path of a folder or wheel, which neither tool takes for a name on an index."""
    return str(Path(package).resolve()) if Path(package).exists() else package


def _distribution_name(package: str) -> str:
    """The normalized name of the distribution that PACKAGE is."""
    project = Path(package, "pyproject.toml")
    if project.is_file():
        return normalized(str(tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("name", "")))
    return normalized(re.split(r"[^A-Za-z0-9._-]", Path(package).name, maxsplit=1)[0])
