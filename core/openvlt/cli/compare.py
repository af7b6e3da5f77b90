"""``openvlt compare``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

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
    from openvlt.bench.compare import compare as pair_up
    from openvlt.bench.result import read_result
    from openvlt.store import open_home

    home = open_home()
    paired = pair_up(read_result(home, a), read_result(home, b), scoring, force=force)
    if as_json:
        click.echo(json.dumps(paired, indent=2, ensure_ascii=False))
        return
    for difference in paired["protocol_differences"]:
        click.echo(f"Note: the protocols differ: {difference}.", err=True)
    low, high = paired["ci95"]
    before, after = paired["accuracy"]
    click.echo(f"{paired['benchmark']} ({paired['scoring']}), {paired['n']:,} questions in both")
    click.echo(
        f"A {before:.1%}, B {after:.1%}: {_points(paired['difference'])} points, 95 % {_points(low)} to {_points(high)}"
    )
    click.echo(f"won {len(paired['won'])}, lost {len(paired['lost'])}, McNemar's p {paired['p']:.3g}")
    for key, text in (("only_a", "only A has"), ("only_b", "only B has"), ("undecided", "are undecided in A or B")):
        if paired[key]:
            click.echo(f"skipped {paired[key]} questions that {text}")
    _show_flips("won by B", paired["won"])
    _show_flips("lost by B", paired["lost"])
    _show_breakdown(paired["breakdown"])


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _show_flips(title: str, flips: Sequence[Mapping[str, Any]]) -> None:
    from openvlt.report.table import Table, print_table

    if flips:
        rows = [tuple(_short(flip[key]) for key in ("id", "gold", "a", "b")) for flip in flips[:SHOWN]]
        click.echo()
        print_table(Table(("id", "gold", "answer of A", "answer of B"), rows, f"{title} ({len(flips)})"))


def _short(text: str | None) -> str:
    return "none" if text is None else text if len(text) <= 40 else text[:37] + "..."


def _show_breakdown(breakdown: Mapping[str, Mapping[str, Any]]) -> None:
    from openvlt.report.table import Table, print_table

    for key, values in breakdown.items():
        rows = [
            (value, str(found["n"]), _points(found["difference"]), f"{found['p']:.3g}", f"{found['p_holm']:.3g}")
            for value, found in values.items()
        ]
        click.echo()
        print_table(Table((key, "n", "points", "p", "p (Holm)"), rows, labels=1))
