"""What the commands that carry out a recipe share: their options, and the way from a recipe's name to a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from openvlt.pipeline import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The recipe a user asks for, and what he changes in it."""

    recipe: str
    teacher: str | None
    captioner: str | None
    source: str | None
    base: str | None
    teacher_url: tuple[str, ...]
    captioner_url: tuple[str, ...]
    settings: tuple[str, ...]
    name: str | None

    @property
    def overrides(self) -> dict[str, Any]:
        """Whole blocks of the recipe, by switch."""
        blocks = {"teacher": self.teacher, "captioner": self.captioner, "source": self.source}
        overrides: dict[str, Any] = {key: {"use": value} for key, value in blocks.items() if value}
        return {**overrides, "base": {"id": self.base}} if self.base else overrides


_OPTIONS = (
    click.argument("recipe", default="quickstart"),
    click.option("--teacher", metavar="NAME", help="Replace the recipe's teacher, with that teacher's own defaults."),
    click.option("--captioner", metavar="NAME", help="Replace the recipe's captioner."),
    click.option("--source", metavar="NAME", help="Replace the source the traces are made for."),
    click.option("--base", metavar="MODEL", help="Replace the base model: a folder or a hub id."),
    click.option("--teacher-url", multiple=True, metavar="URL", help="Endpoint that serves the teacher; repeatable."),
    click.option("--captioner-url", multiple=True, metavar="URL", help="The same for the captioner; repeatable."),
    click.option("--set", "settings", multiple=True, metavar="A.B=C", help="Set any key of the recipe; repeatable."),
    click.option("--name", metavar="NAME", help="Name of the run; by default the recipe's."),
)


plan_option = click.option(
    "--plan", "plan_only", is_flag=True, help="Show stages, counts, models and memory; run nothing."
)


def recipe_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the recipe argument and its overrides; it is called with all of them as one `Asked`."""

    @wraps(command)
    def gathered(**values: Any) -> None:
        shared = {name: values.pop(name) for name in Asked.__dataclass_fields__}
        command(Asked(**shared), **values)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


def prepare(
    asked: Asked, *, iterations: int | None = None, until: str | None = None, check: bool = True, suffix: str = ""
) -> Pipeline:
    """Read the recipe, compile it and check its stages; nothing is computed yet.

    Args:
        asked: the recipe.
        iterations: how many, if not the recipe's.
        until: kind of stage after whose first the pipeline ends.
        check: refuse what cannot be carried out here, and keep the name of the run for it.
        suffix: added to the recipe's name to name the run, unless the user names it.
    """
    from openvlt.cli import registry
    from openvlt.engines import make_executor
    from openvlt.pipeline import Pipeline, check_packages, claim_name, compile_recipe
    from openvlt.recipe import read_recipe
    from openvlt.records import Run
    from openvlt.stages.workspace import Workspace
    from openvlt.store import open_home

    recipe = read_recipe(asked.recipe, asked.overrides, asked.settings, iterations)
    check_packages(recipe)
    plugins = registry()
    stages = compile_recipe(recipe, plugins, {"teacher": asked.teacher_url, "captioner": asked.captioner_url})
    workspace = Workspace(
        open_home(), plugins, recipe.format, executor=make_executor(recipe.executor, plugins.files),
        reject_above=recipe.reject_above, seed=recipe.seed,
    )  # fmt: skip
    named = recipe.model_copy(update={"name": recipe.name + suffix})
    pipeline = Pipeline(workspace, recipe, stages, Run(name=named.name, recipe=recipe.name, status="running"))
    if until is not None:
        pipeline.up_to(until)
    if check:
        pipeline.check()
        pipeline.run = replace(pipeline.run, name=claim_name(workspace.home, named, asked.name))
    return pipeline


def show_plan(pipeline: Pipeline) -> None:
    """Print the stages of a pipeline, with those already done marked."""
    from openvlt.report.table import Table, print_table

    rows = [
        (
            stage.name,
            each.component,
            "" if each.rows is None else f"{each.rows:,}",
            each.model,
            "" if each.memory is None else f"{each.memory / 1e9:.1f} GB",
            "done" if cached else "",
        )
        for stage, each, cached in pipeline.plan()
    ]
    print_table(Table(("stage", "component", "rows", "model", "memory", ""), rows, right=("rows", "memory")))
