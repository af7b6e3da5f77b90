"""``openvlt check``: the checks of `openvlt.testing` for all components of a plugin, with a verdict a bot can read."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openvlt.cli import settings
from openvlt.cli.plugins import KindChoice
from openvlt.errors import PluginError, UsageError

if TYPE_CHECKING:
    from openvlt.registry import Plugin
    from openvlt.testing.plugins import Verdict

MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}


@click.command("check")
@click.argument("plugin")
@click.option("--kind", type=KindChoice(), help="Only components of this kind.")
@click.option("--set", "options", multiple=True, metavar="NAME.OPTION=VALUE", help="Set an option; repeatable.")
@click.option("--model", metavar="SPEC", help="Model for backends and trainers; by default the tiny policy.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(plugin: str, kind: str | None, options: tuple[str, ...], model: str | None, as_json: bool) -> int:
    """Check that the components of PLUGIN keep what their interfaces promise, on made examples and scripted models.

    PLUGIN is the name of a plugin or of its package, a file of one, or the folder of an installed package. A component
    that lacks something here (a file, an endpoint, an optional package) is skipped with the reason. The exit code is 0
    if none failed and not all were skipped, else 3.
    """
    from openvlt.registry import Registry
    from openvlt.testing import Material
    from openvlt.testing.plugins import check_settings, examine_plugin, find_plugins

    path = Path(plugin)
    file = [path] if path.suffix == ".py" else []
    registry = Registry.discover([*settings().plugin_files, *file])
    found = find_plugins(registry, _distribution(path) if path.is_dir() else plugin)
    for each in found:
        if each.status != "ok":
            raise PluginError(f"The plugin {each.name} is {each.problem}", "Fix that first.")
    entries = [entry for each in found for entry in each.components if kind in (None, entry.kind)]
    if kind and not entries:
        has = ", ".join(dict.fromkeys(entry.kind for each in found for entry in each.components))
        raise UsageError(f"The plugin {plugin} has no {kind}.", f"It has: {has or 'no components'}.")
    check_settings(registry, entries, _settings(options))
    material = Material() if model is None else Material(model=_model(model))
    with redirect_stdout(sys.stderr):  # what a training prints is no part of the report
        verdicts = [
            verdict
            for each in found
            for verdict in examine_plugin(registry, each, _settings(options), material, kind)
        ]  # fmt: skip
    if as_json:
        click.echo(json.dumps(_report(found, verdicts), indent=2, ensure_ascii=False))
    else:
        _print(verdicts)
    if verdicts and all(each.outcome == "skipped" for each in verdicts):
        raise PluginError(
            "Nothing was checked: every component lacks something here.",
            "Give what the reasons name (--set NAME.OPTION=VALUE), or install the packages.",
        )
    return 0 if _passed(verdicts) else PluginError.exit_code


def _distribution(folder: Path) -> str:
    """The name of the package in a folder.

    Raises:
        UsageError: there is none.
    """
    try:
        return str(tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"])
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise UsageError(
            f"'{folder}' is no folder of a package: {error}.", "Name a folder with a pyproject.toml."
        ) from error


def _settings(options: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Options by component."""
    from openvlt.cli.try_component import setting

    found: dict[str, dict[str, Any]] = {}
    for text in options:
        name, value = setting(text)
        component, dot, option = name.partition(".")
        if not dot:
            raise UsageError(f"'--set {text}' names no component.", "Write --set NAME.OPTION=VALUE.")
        found.setdefault(component, {})[option] = value
    return found


def _model(text: str) -> Any:
    from openvlt.cli.preparation import value_of
    from openvlt.cli.trial import model_of

    return model_of(value_of(text), "A check")


def _report(plugins: Sequence[Plugin], verdicts: Sequence[Verdict]) -> Mapping[str, Any]:
    from importlib.metadata import version

    from openvlt.hookspecs import PLUGIN_API

    keys = ("name", "distribution", "version", "api")
    return {
        "openvlt": version("openvlt"),
        "api": PLUGIN_API,
        "passed": _passed(verdicts),
        "plugins": [{key: getattr(each, key) for key in keys} for each in plugins],
        "components": [each.as_json() for each in verdicts],
    }


def _passed(verdicts: Sequence[Verdict]) -> bool:
    outcomes = {each.outcome for each in verdicts}
    return "failed" not in outcomes and outcomes != {"skipped"}


def _print(verdicts: Sequence[Verdict]) -> None:
    for each in verdicts:
        reason = f": {each.reason}" if each.reason else ""
        click.echo(f"{MARKS[each.outcome]:8}{each.entry.kind} {each.entry.name}{reason}")
        for finding in each.findings:
            click.echo(f"        {finding}")
    counts = {mark: sum(each.outcome == mark for each in verdicts) for mark in MARKS}
    click.echo(", ".join(f"{count} {mark}" for mark, count in counts.items()) + ".")
