"""``openvlt train``: the whole loop of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from openvlt.cli.preparation import RecipeOptions, gpus_option, plan_option, prepare, recipe_options, show_plan
from openvlt.errors import UsageError

if TYPE_CHECKING:
    from openvlt.interfaces import Gpus
    from openvlt.pipeline import Pipeline
    from openvlt.records import Run


@click.command()
@recipe_options
@click.option("--iterations", type=click.IntRange(1), help="Number of iterations; by default the recipe's.")
@plan_option
@gpus_option
def train(options: RecipeOptions, iterations: int | None, plan_only: bool, gpus: Gpus | None) -> None:
    """Run the whole loop of RECIPE, a name or a YAML file: make traces, train, score, repeat.

    RECIPE may also be your own questions: files of rows (JSON Lines, JSON, CSV, TSV, Parquet, Excel), folders,
    patterns, or a dataset on the hub (owner/name or owner/name:config). A part of them is held out, and the model that
    learns the rest is scored on it; 'openvlt new-recipe' writes that recipe.

    The same command resumes an interrupted run; whatever is done already is reused.
    """
    if gpus and not plan_only:
        raise UsageError("--gpus has no effect on a run: it uses the GPUs of this machine.", "Add --plan.")
    pipeline = prepare(options, iterations=iterations, check=not plan_only, gpus=gpus)
    if plan_only:
        show_plan(pipeline, gpus)
        return
    from openvlt.report.live import make_progress

    pipeline.workspace.progress = make_progress()
    _show_end(pipeline, pipeline.carry_out())


def _show_end(pipeline: Pipeline, run: Run) -> None:
    from openvlt.cli.results import show_notes, show_results

    home = pipeline.workspace.home
    show_results(run.scores)
    show_notes(run.scores)
    selected = [stage for stage in run.stages if stage.stage_kind == "select"]
    if run.model:
        click.echo(f"model   {run.model}")
    for stage in selected:
        click.echo(f"traces  {home.root / stage.folder / 'rows.jsonl'}")
    click.echo(f"run     {home.runs / run.name / 'run.json'}")
