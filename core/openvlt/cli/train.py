"""``openvlt train``: the whole loop of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from openvlt.loop import Loop
    from openvlt.records import Run


@click.command()
@click.argument("recipe", default="quickstart")
@click.option("--teacher", metavar="NAME", help="Replace the recipe's teacher, with that teacher's own defaults.")
@click.option("--captioner", metavar="NAME", help="Replace the recipe's captioner.")
@click.option("--source", metavar="NAME", help="Replace the source the traces are made for.")
@click.option("--base", metavar="MODEL", help="Replace the base model: a folder or a hub id.")
@click.option("--teacher-url", multiple=True, metavar="URL", help="Endpoint that serves the teacher; repeatable.")
@click.option("--captioner-url", multiple=True, metavar="URL", help="Endpoint that serves the captioner; repeatable.")
@click.option("--iterations", type=click.IntRange(1), help="Number of iterations.")
@click.option("--set", "settings", multiple=True, metavar="A.B=C", help="Set any key of the recipe; repeatable.")
@click.option("--name", metavar="NAME", help="Name of the run; by default the recipe's.")
@click.option("--plan", "plan_only", is_flag=True, help="Show stages, counts, models and memory; run nothing.")
def train(
    recipe: str,
    teacher: str | None,
    captioner: str | None,
    source: str | None,
    base: str | None,
    teacher_url: tuple[str, ...],
    captioner_url: tuple[str, ...],
    iterations: int | None,
    settings: tuple[str, ...],
    name: str | None,
    plan_only: bool,
) -> None:
    """Run the whole loop of RECIPE (a name or a YAML file): caption, distill, verify, SFT, GRPO, bench.

    Run the same command again to go on where it stopped; what is done is reused.
    """
    blocks = {"teacher": teacher, "captioner": captioner, "source": source}
    overrides: dict[str, Any] = {key: {"use": value} for key, value in blocks.items() if value}
    if base:
        overrides["base"] = {"id": base}
    urls = {"teacher": teacher_url, "captioner": captioner_url}
    loop = prepare(recipe, overrides, settings, iterations, urls, name, check=not plan_only)
    if plan_only:
        _show_plan(loop)
        return
    from openvlt.report import make_progress

    loop.workspace.progress = make_progress()
    _show_end(loop, loop.carry_out())


def prepare(
    recipe_name: str,
    overrides: Mapping[str, Any],
    settings: tuple[str, ...],
    iterations: int | None,
    urls: Mapping[str, tuple[str, ...]],
    name: str | None,
    *,
    check: bool,
) -> Loop:
    """Read the recipe, build its components and check its models; nothing is computed yet."""
    from openvlt.cli import registry
    from openvlt.loop import Loop, build_parts, claim_name, preflight
    from openvlt.recipe import read_recipe
    from openvlt.records import Run
    from openvlt.stages.workspace import Workspace
    from openvlt.store import open_home

    recipe = read_recipe(recipe_name, overrides, settings, iterations)
    plugins = registry()
    parts = build_parts(recipe, plugins, urls)
    workspace = Workspace(open_home(), plugins, recipe.format, reject_above=recipe.reject_above, seed=recipe.seed)
    if check:
        preflight(workspace, recipe, parts)
    named = name or claim_name(workspace.home, recipe)
    return Loop(workspace, recipe, parts, Run(name=named, recipe=recipe.name, status="running"))


def _show_plan(loop: Loop) -> None:
    from openvlt.loop import plan
    from openvlt.report import console, plan_table

    console().print(plan_table((p.name, p.component, p.rows, p.model, p.memory, p.cached) for p in plan(loop)))


def _show_end(loop: Loop, run: Run) -> None:
    from openvlt.report import console, gains, scores_table

    home = loop.workspace.home
    console().print(scores_table(run.scores))
    for line in gains(run.scores[-1]) if run.scores else ():
        click.echo(line)
    selected = [stage for stage in run.stages if stage.kind == "select"]
    click.echo(f"model   {run.model}")
    for stage in selected:
        click.echo(f"traces  {home.root / stage.folder / 'rows.jsonl'}")
    click.echo(f"run     {home.runs / run.name / 'run.json'}")
