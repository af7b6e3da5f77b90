"""``openvlt list-plugins``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from openvlt.cli import registry
from openvlt.registry.registration import KIND_OF_HOOK, WORDS
from openvlt.report.table import Table, print_table

if TYPE_CHECKING:
    from openvlt.interfaces import Kind

KINDS = tuple(KIND_OF_HOOK.values())
COLUMNS = ("name", "origin", "version", "status", "components", "reason")


class KindChoice(click.Choice[str]):
    """A kind of component, also by another word for it."""

    def __init__(self) -> None:
        super().__init__(KINDS)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert(WORDS.get(value, value), param, ctx)


@click.command("list-plugins")
@click.option("--kind", type=KindChoice(), help="Only components of this kind.")
@click.option("--verbose", is_flag=True, help="Also show load times, and tracebacks of broken plugins.")
@click.option("--available", is_flag=True, help="List plugins by others that can be installed instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(kind: Kind | None, verbose: bool, available: bool, as_json: bool) -> None:
    """List all plugins, their components, and why one is not in use."""
    if available:
        _print_available(kind, as_json)
        return
    plugins = registry().plugins
    shown = [plugin.as_json() for plugin in plugins]
    if kind is not None:
        for plugin in shown:
            plugin["components"] = [one for one in plugin["components"] if one["kind"] == kind]
        shown = [plugin for plugin in shown if plugin["components"]]
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    if not shown:
        click.echo("There are no plugins." if kind is None else f"No plugin has a {kind}.")
        return
    print_plugins(shown, verbose=verbose)
    for broken in plugins:
        if verbose and broken.traceback:
            click.echo(f"\n{broken.distribution}/{broken.name}:\n{broken.traceback.rstrip()}")


def _print_available(kind: Kind | None, as_json: bool) -> None:
    """Print the register, which comes with openvlt."""
    from importlib.resources import files

    import yaml

    content = yaml.safe_load(files("openvlt.cli").joinpath("register.yaml").read_text(encoding="utf-8"))
    found = [each for each in content["plugins"] if kind is None or kind in each["kinds"]]
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
    elif found:
        columns = ("name", "kinds", "repository", "api", "last check")
        rows = [
            (each["name"], ", ".join(each["kinds"]), each["repository"], str(each["api"]),
             f"{each['check']['outcome']} on {each['check']['date']}")
            for each in found
        ]  # fmt: skip
        print_table(Table(columns, rows))
    else:
        click.echo("The register lists no such plugin yet; docs/plugins/register.md says how to add one.")


def print_plugins(plugins: Sequence[Mapping[str, Any]], *, verbose: bool = False) -> None:
    """Print one line per plugin.

    Args:
        plugins: as ``--json`` shows them.
        verbose: add load times.
    """
    rows = [_row(plugin) for plugin in plugins]
    if verbose:
        rows = [(*row, f"{plugin['load_ms']:.1f}") for row, plugin in zip(rows, plugins, strict=True)]
    print_table(Table((*COLUMNS, "load ms") if verbose else COLUMNS, rows))


def _row(plugin: Mapping[str, Any]) -> tuple[str, ...]:
    components = plugin["components"]
    reasons = [plugin["reason"], *(f"{one['kind']} {one['reason']}" for one in components if one["reason"])]
    return (
        plugin["name"],
        plugin["distribution"] if plugin["origin"] == "dist" else plugin["origin"],
        plugin["version"],
        plugin["status"],
        _listed(components),
        "; ".join(filter(None, reasons)),
    )


def _listed(components: Sequence[Mapping[str, Any]]) -> str:
    """``source: a, b; verifier: c (missing-extra)``."""
    groups: dict[str, list[str]] = {}
    for one in components:
        marked = one["name"] if one["status"] == "ok" else f"{one['name']} ({one['status']})"
        groups.setdefault(one["kind"], []).append(marked)
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in groups.items())
