"""``openvlt compare``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from openvlt.bench.compare import CategoryDifference, Flip

SHOWN = 10
"""Questions listed per direction; ``--json`` has all."""


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option("--scoring", help="Scoring to compare; by default the headline.")
@click.option("--force", is_flag=True, help="Compare although the protocols differ.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(a: str, b: str, scoring: str | None, force: bool, as_json: bool) -> None:
    """Compare result B with result A, question by question.

    A and B are names of benchmark results or paths of their folders.
    """
    from openvlt.bench import compare as comparing
    from openvlt.bench.result import read_result
    from openvlt.store import open_home

    home = open_home()
    results = read_result(home, a), read_result(home, b)
    found = comparing.compare(*results, scoring, force=force)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
        return
    for letter, result in zip("AB", results, strict=True):
        for warning in result.record.warnings:
            click.echo(f"Warning: {letter}: {warning}.", err=True)
    for difference in found.protocol_differences:
        click.echo(f"Note: the protocols differ: {difference}.", err=True)
    (before, after), (low, high) = found.accuracy, found.ci95
    click.echo(f"{found.benchmark} ({found.scoring}), {found.n:,} questions in both")
    click.echo(
        f"A {before:.1%}, B {after:.1%}: {_points(found.difference)} points, 95 % {_points(low)} to {_points(high)}"
    )
    click.echo(f"won {len(found.won)}, lost {len(found.lost)}, McNemar's p {found.p:.3g}")
    for count, text in (
        (found.only_a, "only A has"), (found.only_b, "only B has"), (found.undecided, "are undecided in A or B")
    ):  # fmt: skip
        if count:
            click.echo(f"skipped {count} questions that {text}")
    _show_flips("won by B", found.won)
    _show_flips("lost by B", found.lost)
    _show_breakdown(found.breakdown)


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _show_flips(title: str, flips: Sequence[Flip]) -> None:
    from openvlt.report.table import Table, print_table

    if flips:
        rows = [tuple(map(_short, (flip.id, flip.gold, flip.a, flip.b))) for flip in flips[:SHOWN]]
        click.echo()
        print_table(Table(("id", "gold", "answer of A", "answer of B"), rows, f"{title} ({len(flips)})"))


def _short(text: str | None) -> str:
    return "none" if text is None else text if len(text) <= 40 else text[:37] + "..."


def _show_breakdown(breakdown: Mapping[str, Mapping[str, CategoryDifference]]) -> None:
    from openvlt.report.table import Table, print_table

    for key, values in breakdown.items():
        rows = [
            (value, str(found.n), _points(found.difference), f"{found.p:.3g}", f"{found.p_holm:.3g}")
            for value, found in values.items()
        ]
        click.echo()
        print_table(Table((key, "n", "points", "p", "p (Holm)"), rows, labels=1))
