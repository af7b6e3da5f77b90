"""``openvlt runs``: what happened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from openvlt.records import Run


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print all runs as JSON.")
@click.pass_context
def runs(context: click.Context, as_json: bool) -> None:
    """List runs; with a command, look at one or free what no run needs."""
    if context.invoked_subcommand:
        return
    from openvlt.store import list_runs, open_home

    found = list(list_runs(open_home()))
    if as_json:
        click.echo(json.dumps([run_json(run) for run in found], indent=1))
    elif not found:
        click.echo("There are no runs yet; 'openvlt train' makes one.")
    else:
        from openvlt.report import console, runs_table

        console().print(runs_table(found))


@runs.command()
@click.argument("name")
def show(name: str) -> None:
    """Show the stages and scores of a run."""
    from openvlt.report import console, gains, scores_table, stages_table
    from openvlt.store import open_home, read_run

    run = read_run(open_home(), name)
    click.echo(f"{run.name} ({run.recipe}): {run.status}")
    console().print(stages_table(run.stages))
    console().print(scores_table(run.scores))
    for line in [*(gains(run.scores[-1]) if run.scores else ()), *dict.fromkeys(run.notes)]:
        click.echo(line)


def run_json(run: Run) -> dict[str, Any]:
    """A run as ``--json`` shows it."""
    return {
        "name": run.name,
        "recipe": run.recipe,
        "status": run.status,
        "model": run.model,
        "stages": [stage.as_json() for stage in run.stages],
        "scores": [score.as_json() for score in run.scores],
        "notes": list(run.notes),
    }
