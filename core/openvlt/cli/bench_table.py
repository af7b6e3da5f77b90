"""Shows a benchmark result: scorings side by side, breakdowns with counts, and what the reader should know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from openvlt.bench.result import Result
from openvlt.cli.table import print_table


def show(result: Result, folder: Path, *, to_stderr: bool) -> None:
    """Print a result.

    Args:
        result: what to show.
        folder: where it lies.
        to_stderr: standard output is taken; then only the notes are shown, on standard error.
    """
    told = result.told
    if not to_stderr:
        click.echo(_title(result))
        columns = ("scoring", "accuracy", "95 % interval", "correct", "n", "undecided")
        print_table(columns, [_line(name, counts) for name, counts in told["scores"].items()])
        _show_breakdown(told["scores"])
        click.echo(
            f"unparsed {told['unparsed']}, unanswered {len(told['unanswered'])}, truncated {told['truncated']}, "
            f"failed {len(told['failed'])}, mean tokens {told['mean_tokens']:.0f}, {told['seconds']:.1f} s"
        )
        for key, text in told["about"].items():
            click.echo(f"{key}: {' '.join(text.split())}")
        click.echo(f"protocol {told['protocol_hash'][:12]}, result {folder}")
    for note in told["notes"]:
        click.echo(f"Note: {note}.", err=True)


def _title(result: Result) -> str:
    told = result.told
    model = told["protocol"]["model"]
    return f"{result.benchmark}: {model.get('id') or model.get('responses')}, {told['n']:,} questions"


def _line(name: str, counts: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = counts["ci95"]
    return (
        name,
        accuracy(counts),
        f"{low:.1%} to {high:.1%}",
        str(counts["correct"]),
        str(counts["n"]),
        str(counts["undecided"]),
    )


def accuracy(counts: Mapping[str, Any]) -> str:
    """The headline number, or the range the undecided questions leave open."""
    low, high = counts["bounds"]
    if counts["accuracy"] is None:
        return f"[{low:.1%}, {high:.1%}]"
    return (
        f"{counts['accuracy']:.1%}" if not counts["undecided"] else f"{counts['accuracy']:.1%} [{low:.1%}, {high:.1%}]"
    )


def _show_breakdown(scores: Mapping[str, Any]) -> None:
    first = next(iter(scores.values()))
    for key, values in first["breakdown"].items():
        rows = [
            (value, str(counts["n"]), *(accuracy(score["breakdown"][key][value]) for score in scores.values()))
            for value, counts in values.items()
        ]
        click.echo()
        print_table((key, "n", *scores), rows)
    for name, score in scores.items():
        for figure, value in score["figures"].items():
            click.echo(f"{figure} ({name}): {'at least ' if score['undecided'] else ''}{value:.1%}")
    click.echo()
