"""``openvlt compare``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from openvlt.errors import UsageError, counted

if TYPE_CHECKING:
    from openvlt.bench.compare import CategoryDifference, Comparison, Flip
    from openvlt.bench.result import Result

SHOWN = 10
"""Questions listed per direction; ``--json`` has all."""


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option("--benchmark", help="Compare on this benchmark; by default on all that both were scored on.")
@click.option("--scoring", help="Scoring to compare; by default the headline.")
@click.option("--force", is_flag=True, help="Compare although the questions or protocols differ.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(a: str, b: str, benchmark: str | None, scoring: str | None, force: bool, as_json: bool) -> None:
    """Compare B with A on what they have scored, question by question; no model is asked.

    A and B are models of runs as their tables name them (RUN/MODEL: quickstart/grpo-2, quickstart/base), results of
    'openvlt bench' (names or paths of folders), or one of them a file of responses, which is scored as the other was.
    """
    from openvlt.bench import compare as comparing
    from openvlt.bench.scored import find_pairs
    from openvlt.cli import registry
    from openvlt.stages.workspace import Workspace
    from openvlt.store import open_home

    pairs = find_pairs(Workspace(open_home(), registry()), a, b, benchmark)
    found, refused = [], list[UsageError]()
    for pair in pairs:
        try:
            found.append((pair, comparing.compare(*pair, scoring, force=force)))
        except UsageError as error:
            refused.append(error)
    if not found:
        raise refused[0]
    for reason in refused:
        click.echo(f"Skipped: {reason}", err=True)
    if as_json:
        shown = [asdict(each) for _, each in found]
        click.echo(json.dumps(shown if len(pairs) > 1 else shown[0], indent=2, ensure_ascii=False))
        return
    for number, (pair, each) in enumerate(found):
        click.echo("\n" * bool(number), nl=False)
        _show_notes(pair, each)
        _show(each)


def _show_notes(pair: tuple[Result, Result], found: Comparison) -> None:
    for letter, result in zip("AB", pair, strict=True):
        for warning in result.record.warnings:
            click.echo(f"Warning: {letter}: {warning}.", err=True)
    for difference in found.protocol_differences:
        click.echo(f"Note: {found.benchmark}: A and B differ: {difference}.", err=True)
    if found.expected_differences:
        unlike = "; ".join(found.expected_differences)
        click.echo(f"Note: {found.benchmark}: A and B differ by design: {unlike}.", err=True)


def _show(found: Comparison) -> None:
    (before, after), (low, high) = found.accuracy, found.ci95
    of = "" if found.of == "accuracy" else ", mean scores"
    click.echo(f"{found.benchmark} ({found.scoring}), {counted(found.n, 'question')} in both{of}")
    click.echo(f"A {before:6.1%}  {found.a}")
    click.echo(f"B {after:6.1%}  {found.b}")
    click.echo(f"B - A: {_points(found.difference)} points, 95 % {_points(low)} to {_points(high)}, paired")
    click.echo(f"won {len(found.won)}, lost {len(found.lost)}, {found.test} p {found.p:.3g}")
    for count, text in (
        (found.only_a, "only in A"), (found.only_b, "only in B"), (found.undecided, "undecided in A or B")
    ):  # fmt: skip
        if count:
            click.echo(f"skipped {counted(count, 'question')}: {text}")
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
