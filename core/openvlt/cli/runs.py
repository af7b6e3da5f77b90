"""``openvlt runs``: lists, shows, checks and removes runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from openvlt.errors import DataError, counted

if TYPE_CHECKING:
    from openvlt.records import BenchResult, Run
    from openvlt.store import Home


class _Runs(click.Group):
    """Commands; anything else is the name of a run or result to show."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["show", *args])


@click.group(cls=_Runs, invoke_without_command=True, subcommand_metavar="[NAME | COMMAND [ARGS]...]")
@click.option("--json", "as_json", is_flag=True, help="Print all runs as JSON.")
@click.pass_context
def runs(context: click.Context, as_json: bool) -> None:
    """List runs and benchmark results; with a NAME show one; with a command check or remove one, or free disk space."""
    if context.invoked_subcommand:
        return
    from openvlt.store import open_home, read_run, run_names

    home = open_home()
    found: list[Run] = []
    for name in run_names(home):
        try:
            found.append(read_run(home, name))
        except DataError as error:
            click.echo(error, err=True)
    if as_json:
        click.echo(json.dumps([run_json(run, runs_again(home, run)) for run in found], indent=1))
    elif not found:
        click.echo("There are no runs yet; 'openvlt train' makes one.")
    else:
        from openvlt.report.table import Table, print_table

        columns = ("run", "recipe", "status", "stages", "last score", "model")
        print_table(Table(columns, [_row(home, run) for run in found]))


@runs.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a run or a result of 'openvlt bench', or the scores of a model (RUN/MODEL).

    Of a run: its stages, what they rejected and why, and its scores.
    """
    from openvlt.bench.scored import find_results
    from openvlt.store import open_home, read_run, run_names

    home = open_home()
    if name in run_names(home):
        run = read_run(home, name)
        _show_stages(home, run)
        _show_scores(run.scores, run.notes)
    else:
        _show_scores([each.record for each in find_results(home, name)])


def _show_stages(home: Home, run: Run) -> None:
    from openvlt.report.table import Table, print_table

    click.echo(f"{run.name} ({run.recipe}): {_status(home, run)}")
    rows = [
        (stage.name, f"{stage.taken:,}", stage.made, str(sum(stage.rejected.values())),
         "reused" if stage.cached else f"{stage.seconds:.1f}")
        for stage in run.stages
    ]  # fmt: skip
    done = {stage.name for stage in run.stages}
    rows += [(name, "", "", "", "to do") for name in run.planned if name not in done]
    print_table(Table(("stage", "in", "out", "rejected", "seconds"), rows, labels=1))
    click.echo()
    reasons = [
        (stage.name, f"{count:,}", reason)
        for stage in run.stages
        for reason, count in sorted(stage.rejected.items(), key=lambda each: (-each[1], each[0]))
    ]
    if reasons:
        print_table(Table(("stage", "rejected", "reason"), reasons, right=("rejected",)))
        click.echo()


def _show_scores(scores: Sequence[BenchResult], more: Sequence[str] = ()) -> None:
    from openvlt.cli.results import show_results
    from openvlt.report.results import notes, warnings

    show_results(scores)
    for line in dict.fromkeys([*warnings(scores), *notes(scores), *more]):
        click.echo(line)


@runs.command()
@click.argument("name")
@click.pass_context
def verify(context: click.Context, name: str) -> None:
    """Recompute all digests of a run: stages, values, images, models."""
    from openvlt.store import check_run, open_home, read_run

    home = open_home()
    run = read_run(home, name)
    count = 0
    for problem in check_run(home, run):
        click.echo(problem)
        count += 1
    if count:
        raise DataError(
            f"The run '{name}' is damaged or incomplete in {counted(count, 'place')}.",
            "Delete what is named above and run its command again; everything else is reused.",
        )
    click.echo(f"{name}: all stages are unchanged ({len(run.stages)})")


@runs.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a run from the list; 'openvlt runs prune' then frees what only it needs."""
    from openvlt.store import claimed_run, open_home, read_run, remove_run

    home = open_home()
    read_run(home, name)
    with claimed_run(home, name):
        remove_run(home, name)
    click.echo(f"Removed the run '{name}'; 'openvlt runs prune' frees what only it needed.")


@runs.command()
@click.option("--yes", is_flag=True, help="Delete; without this, only show what would be deleted.")
def prune(yes: bool) -> None:
    """Delete the stages, values, images and models that no run needs."""
    from openvlt.store import find_unneeded, free, open_home

    home = open_home()
    freed = list(free(home)) if yes else find_unneeded(home)
    for category in ("stage", "values", "image"):
        some = [each for each in freed if each.category == category]
        if some:
            click.echo(f"{category:<6} {len(some):>8}  {sum(each.size for each in some) / 1e6:12,.1f} MB")
    total = f"{sum(each.size for each in freed) / 1e6:,.1f} MB"
    if not freed:
        click.echo("There is nothing to free.")
    elif yes:
        click.echo(f"Freed {total}.")
    else:
        click.echo(f"No run needs {total}; 'openvlt runs prune --yes' frees it.")


def runs_again(home: Home, run: Run) -> bool:
    """True if a run is done and being carried out again; until that is done, too, its record is the finished one."""
    from openvlt.store import is_claimed

    return run.status == "done" and is_claimed(home, run.name, unknown=False)


def _status(home: Home, run: Run) -> str:
    return f"{run.status}, running again" if runs_again(home, run) else run.status


def _row(home: Home, run: Run) -> tuple[str, ...]:
    from openvlt.report.results import accuracy

    last = run.scores[-1] if run.scores else None
    score = f"{last.benchmark} {last.stage} {accuracy(last.score)}" if last else ""
    return run.name, run.recipe, _status(home, run), str(len(run.stages)), score, run.model


def run_json(run: Run, again: bool) -> dict[str, Any]:
    """A run as ``--json`` shows it."""
    return {
        "name": run.name,
        "recipe": run.recipe,
        "status": run.status,
        "running_again": again,
        "model": run.model,
        "stages": [stage.as_json() for stage in run.stages],
        "scores": [score.as_json() for score in run.scores],
        "notes": list(run.notes),
    }
