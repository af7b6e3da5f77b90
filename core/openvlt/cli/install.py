"""``openvlt install`` and ``openvlt uninstall``, by whichever of uv and pip manages this environment.

Neither loads a plugin in this process, so both work even if installed plugins are broken.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from openvlt.cli.environment import Change, Manager
from openvlt.cli.plugins import print_plugins
from openvlt.errors import PluginError, closest
from openvlt.registry.distributions import Distribution, distributions, normalized

UNUSABLE = ("broken", "incompatible")


@click.command("install")
@click.argument("package")
@click.option("-e", "--editable", is_flag=True, help="Install the folder in place, so that edits take effect at once.")
@click.option("-U", "--upgrade", is_flag=True, help="Install the newest version even if one is installed.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Change other installed packages without asking.")
def install(package: str, editable: bool, upgrade: bool, dry_run: bool, yes: bool) -> None:
    """Install a plugin from PACKAGE: a name, a folder, a wheel or a URL.

    Other packages change only where the plugin needs it, and only after a question. If openvlt or a plugin that worked
    no longer loads afterwards, everything is put back.
    """
    manager, name = Manager.find(), _distribution_name(package)
    arguments = [*["--editable"] * editable, _as_path(package)]
    if upgrade and re.fullmatch(r"[\w.-]+(\[[^]]*\])?", package):
        arguments = [*manager.upgrade(name), *arguments]
    changes = manager.plan(*arguments)
    if dry_run:
        for change in changes:
            click.echo(str(change))
        click.echo(f"{len(changes)} packages would change.")
        return
    _ask([each for each in changes if each.before is not None and normalized(each.name) != name], yes)
    before = _plugins_now()
    manager.install(*arguments)
    _show(package, name, before, _checked(manager, changes, before))


def _ask(others: Sequence[Change], yes: bool) -> None:
    """Ask before other installed packages change."""
    if not others or yes:
        return
    listed = ", ".join(map(str, others))
    if not sys.stdin.isatty():
        raise PluginError(f"The installation changes other packages: {listed}.", "Allow it with --yes.")
    click.confirm(f"The installation changes other packages: {listed}. Go on?", abort=True)


def _checked(manager: Manager, changes: Sequence[Change], before: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The plugins after an installation; it is undone if openvlt or one that worked no longer loads.

    Raises:
        PluginError: what does not load any more.
    """
    worked = {one["name"] for one in before if one["status"] not in UNUSABLE}
    try:
        found = _plugins_now()
        lost = [one for one in found if one["name"] in worked and one["status"] in UNUSABLE]
        problem = "; ".join(f"plugin '{one['name']}' is {one['status']}: {one['reason']}" for one in lost)
    except subprocess.CalledProcessError:
        problem = "openvlt no longer loads"
    if problem:
        manager.undo(changes)
        listed = ", ".join(map(str, changes)) or "nothing else"
        raise PluginError(
            f"After the installation {problem}.",
            f"Everything was put back ({listed}); ask the plugin's author for a version that fits.",
        )
    return found


def _show(package: str, name: str, before: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]) -> None:
    """Show the plugins of what was installed.

    Raises:
        PluginError: it has none, or one that does not load.
    """
    known = {(one["distribution"], one["version"]) for one in before}
    new = [one for one in found if (one["distribution"], one["version"]) not in known]
    shown = new or [one for one in found if normalized(one["distribution"]) == name]
    if not shown:
        raise PluginError(
            f"'{package}' is installed, but it has no entry point in the group 'openvlt'.",
            "Ask its author whether it is an openvlt plugin.",
        )
    print_plugins(shown)
    for plugin in shown:
        if plugin["status"] in UNUSABLE:
            raise PluginError(
                f"Plugin '{plugin['name']}' is installed but {plugin['status']}: {plugin['reason']}.",
                f"'openvlt uninstall {plugin['distribution']}' removes it.",
            )


@click.command("uninstall")
@click.argument("name")
def uninstall(name: str) -> None:
    """Remove the installed plugin NAME, given by its own name or its distribution's."""
    distribution = _installed(name)
    Manager.find().uninstall(distribution.name)
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
