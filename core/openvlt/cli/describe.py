"""``openvlt describe``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from openvlt.cli import registry
from openvlt.cli.plugins import KindChoice
from openvlt.report.table import Table, print_table

if TYPE_CHECKING:
    from openvlt.interfaces import Kind
    from openvlt.registry.description import Description


@click.command("describe")
@click.argument("kind", type=KindChoice())
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def describe(kind: Kind, name: str, as_json: bool) -> None:
    """Show a component and its options: types, units, defaults, meaning."""
    description = registry().describe(kind, name)
    if as_json:
        click.echo(json.dumps(description.as_json(), indent=2))
        return
    _print(description)


def _print(description: Description) -> None:
    entry = description.entry
    click.echo(f"{entry.kind} {entry.name} ({entry.id}, version {description.version}): {entry.summary}")
    if entry.reason:
        click.echo(f"{entry.status}: {entry.reason}")
    if description.text:
        click.echo(f"\n{description.text}")
    click.echo()
    if not description.options:
        click.echo("It has no options.")
        return
    rows = [
        (
            option.name,
            "required" if option.required else json.dumps(option.default, ensure_ascii=False),
            option.unit,
            option.text + ("" if option.affects_output else " (a change keeps what is done)"),
            f"{option.type}, {option.bounds}" if option.bounds else option.type,
        )
        for option in description.options
    ]
    print_table(Table(("option", "default", "unit", "what it does", "type"), rows))
