"""``openvlt list-plugins``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from openvlt.cli import registry
from openvlt.cli.table import print_table
from openvlt.registry.registration import KIND_OF_HOOK

if TYPE_CHECKING:
    from openvlt.interfaces import Kind
    from openvlt.registry import Entry, Plugin

KINDS = tuple(KIND_OF_HOOK.values())
COLUMNS = ("name", "origin", "version", "status", "components", "reason")


@click.command("list-plugins")
@click.option("--kind", type=click.Choice(KINDS), help="Only plugins with components of this kind.")
@click.option("--verbose", is_flag=True, help="Also load times, and the traceback of what is broken.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(kind: Kind | None, verbose: bool, as_json: bool) -> None:
    """List all plugins that were found, what they bring, and why one is not in use."""
    plugins = [plugin for plugin in registry().plugins if kind is None or _of_kind(plugin, kind)]
    if as_json:
        shown = [plugin.as_json() for plugin in plugins]
        for plugin in shown:
            plugin["components"] = [one for one in plugin["components"] if kind in (None, one["kind"])]
        click.echo(json.dumps(shown, indent=2))
        return
    if not plugins:
        click.echo("No plugins." if kind is None else f"No plugin brings a {kind}.")
        return
    print_plugins(plugins, kind=kind, verbose=verbose)


def print_plugins(plugins: list[Plugin], *, kind: Kind | None = None, verbose: bool = False) -> None:
    """Print one line a plugin.

    Args:
        plugins: what to print.
        kind: show only components of this kind.
        verbose: add load times, and tracebacks below the table.
    """
    rows = [_row(plugin, kind) for plugin in plugins]
    if not verbose:
        print_table(COLUMNS, rows)
        return
    print_table(
        (*COLUMNS, "load ms"),
        [(*row, f"{plugin.load_ms:.1f}") for row, plugin in zip(rows, plugins, strict=True)],
    )
    for plugin in plugins:
        if plugin.traceback:
            click.echo(f"\n{plugin.distribution}/{plugin.name}:\n{plugin.traceback.rstrip()}")


def _row(plugin: Plugin, kind: Kind | None) -> tuple[str, ...]:
    entries = _of_kind(plugin, kind)
    reasons = [plugin.reason, *(f"{entry.kind} {entry.reason}" for entry in entries if entry.reason)]
    return (
        plugin.name,
        plugin.distribution if plugin.origin == "dist" else plugin.origin,
        plugin.version,
        plugin.status,
        _listed(entries),
        "; ".join(filter(None, reasons)),
    )


def _of_kind(plugin: Plugin, kind: Kind | None) -> list[Entry]:
    return [entry for entry in plugin.components if kind in (None, entry.kind)]


def _listed(entries: list[Entry]) -> str:
    """``source: a, b; verifier: c (missing-extra)``."""
    kinds = dict.fromkeys(entry.kind for entry in entries)
    named = {kind: [entry for entry in entries if entry.kind == kind] for kind in kinds}
    return "; ".join(f"{kind}: {', '.join(map(_marked, group))}" for kind, group in named.items())


def _marked(entry: Entry) -> str:
    return entry.name if entry.status == "ok" else f"{entry.name} ({entry.status})"
