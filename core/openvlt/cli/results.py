"""Shows benchmark results, of a run or of `openvlt bench`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from openvlt.records import BenchResult


def show_results(results: Sequence[BenchResult]) -> None:
    """Print scores, breakdowns, and the differences between the last model and earlier ones."""
    from openvlt.report.results import gains, tables
    from openvlt.report.table import print_table

    for table in tables(results):
        print_table(table)
        click.echo()
    for line in gains(results):
        click.echo(line)


def show_notes(results: Sequence[BenchResult]) -> None:
    """Print the warnings about the scores, and the notes on them, to standard error."""
    from openvlt.report.results import notes, warnings

    for warning in warnings(results):
        click.echo(f"Warning: {warning}.", err=True)
    for note in notes(results):
        click.echo(f"Note: {note}.", err=True)
