"""Shared by the commands that carry out a recipe: their options, and how a recipe becomes a pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from openvlt.errors import DataError, UsageError, counted
from openvlt.keys import allow, bind

if TYPE_CHECKING:
    from openvlt.interfaces import Gpus
    from openvlt.pipeline import Pipeline
    from openvlt.pipeline.stage import Description, Stage

_SHOWN_BYTES = 5e7
"""What a table of GB with one decimal shows as more than 0.0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeOptions:
    """The recipe on the command line, and the changes to it."""

    recipe: tuple[str, ...]
    teacher: str | None
    captioner: str | None
    source: str | None
    base: str | None
    teacher_url: tuple[str, ...]
    captioner_url: tuple[str, ...]
    settings: tuple[str, ...]
    name: str | None
    columns: tuple[str, ...]
    split: str | None

    @property
    def overrides(self) -> dict[str, Any]:
        """The blocks to replace, by switch."""
        blocks = {"teacher": self.teacher, "captioner": self.captioner}
        overrides: dict[str, Any] = {key: {"use": value} for key, value in blocks.items() if value}
        if self.source:
            overrides["source"] = spec_of(self.source)
        return {**overrides, "base": {"id": self.base}} if self.base else overrides

    def written(self, gpus: Gpus | None = None) -> tuple[str, str | None]:
        """The recipe's name or file; and the recipe itself, if the files are data.

        Args:
            gpus: that a recipe for data is for; None for those of this machine.

        Raises:
            UsageError: there are several recipes, or columns or a split of a recipe.
        """
        from openvlt.cli import registry
        from openvlt.recipe.own_data import is_data, recipe_of

        names = self.recipe or ("quickstart",)
        if all(map(is_data, names)):
            text, shown = recipe_of(
                registry(), names, self.columns, split=self.split, gpus=gpus.count if gpus else None
            )
            click.echo("\n".join(shown))
            return f"recipe of {names[0]}", text
        if len(names) > 1:
            other = next(name for name in names if not is_data(name))
            raise UsageError(f"'{other}' is no file of rows.", "Name one recipe, or any number of files of rows.")
        if option := "columns" if self.columns else "split" if self.split else "":
            raise UsageError(f"--{option} has no effect: '{names[0]}' is a recipe.", f"Set the {option} in its source.")
        return names[0], None


def spec_of(text: str) -> Any:
    """A source as the command line names it: a name, files or a folder of rows, a hub id, or YAML as in a recipe.

    Raises:
        UsageError: it is not YAML.
    """
    from openvlt.cli import registry
    from openvlt.recipe.own_data import is_data, source_of

    is_source = any(entry.id == text for entry in registry().entries("source"))
    if not is_source and not text.lstrip().startswith("{") and is_data(text):
        return source_of([text])
    value = value_of(text)
    return {"use": value} if isinstance(value, str) else value


def value_of(text: str | None) -> Any:
    """A value as a recipe writes it; None for none.

    Raises:
        UsageError: it is not YAML.
    """
    import yaml

    from openvlt.recipe import parse, problem_of

    try:
        return None if text is None else parse(text, f"'{text[:80]}'")[0]
    except yaml.YAMLError as error:
        raise UsageError(f"'{text}' is not YAML: {problem_of(error)}.", "Quote it.") from error


_OPTIONS = (
    click.argument("recipe", nargs=-1),
    click.option("--teacher", metavar="NAME", help="Replace the recipe's teacher, with that teacher's own defaults."),
    click.option("--captioner", metavar="NAME", help="Replace the recipe's captioner."),
    click.option(
        "--source",
        metavar="SPEC",
        help="Replace the source of the traces' examples: a name, a file, a hub id, or YAML.",
    ),
    click.option("--base", metavar="MODEL", help="Replace the base model: a folder or a hub id."),
    click.option("--teacher-url", multiple=True, metavar="URL", help="Endpoint that serves the teacher; repeatable."),
    click.option("--captioner-url", multiple=True, metavar="URL", help="The same for the captioner; repeatable."),
    click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set any key of the recipe; repeatable."
    ),
    click.option("--name", metavar="NAME", help="Name of the run; by default the recipe's."),
    click.option(
        "--columns",
        multiple=True,
        metavar="FIELD=COLUMN,...",
        help="Which column is what: question=q,answer=a,images=i,choices=c. For data only; repeatable.",
    ),
    click.option("--split", metavar="NAME", help="Split of a dataset on the hub; by default train. For data only."),
)


def endpoint_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add to a command what only the user may decide, and no recipe: which key goes where, and what is allowed."""

    def given(act: Callable[[tuple[str, ...]], None]) -> Callable[..., None]:
        return lambda ctx, option, values: act(values) if values else None

    allow_option = click.option(
        "--allow", multiple=True, type=click.Choice(["http", "ray", "engine"]), expose_value=False,
        callback=given(allow),
        help="Allow keys over http, models on a Ray cluster, or the program of another trainer; repeatable.",
    )  # fmt: skip
    return click.option(
        "--key-env", multiple=True, metavar="NAME@HOST", expose_value=False, callback=given(bind),
        help="Send the API key in the environment variable NAME to this host; repeatable.",
    )(allow_option(command))  # fmt: skip


plan_option = click.option(
    "--plan", "plan_only", is_flag=True, help="Show the stages with rows, models, memory and hours; run nothing."
)


class GpusType(click.ParamType[Any]):
    """GPUs as the command line names them: ``4x80``."""

    name = "NxGB"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from openvlt.interfaces import Gpus

        found = re.fullmatch(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", str(value).lower())
        if not found:
            self.fail(f"'{str(value)[:80]}' is no number of GPUs with their memory. Write 4x80 for 4 GPUs of 80 GB.")
        return Gpus(int(found[1]), int(found[2]) << 30)


gpus_option = click.option(
    "--gpus",
    type=GpusType(),
    help="With --plan: for these GPUs, such as 4x80 (GB each), not this machine's; exit with 2 if it does not fit.",
)


def recipe_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the recipe argument and its options to a command, which receives them as one `RecipeOptions`."""

    @wraps(command)
    def gathered(**values: Any) -> None:
        shared = {name: values.pop(name) for name in RecipeOptions.__dataclass_fields__}
        command(RecipeOptions(**shared), **values)

    decorated = endpoint_options(gathered)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def prepare(
    options: RecipeOptions,
    *,
    iterations: int | None = None,
    until: str | None = None,
    check: bool = True,
    suffix: str = "",
    gpus: Gpus | None = None,
) -> Pipeline:
    """Read the recipe, compile it and check its stages; nothing is computed yet.

    Args:
        options: of the command line.
        iterations: their number, None for the recipe's.
        until: end the pipeline after the first stage of this kind.
        check: reject what cannot be carried out here, and claim the name of the run.
        suffix: appended to the recipe's name to name the run, unless the user names it.
        gpus: to plan for; None for those of this machine.
    """
    from openvlt.cli import registry
    from openvlt.engines import make_executor
    from openvlt.pipeline import Pipeline, check_packages, compile_recipe
    from openvlt.recipe import read_recipe
    from openvlt.records import Run
    from openvlt.stages.workspace import Workspace
    from openvlt.store import open_home

    name, text = options.written(gpus)
    recipe = read_recipe(name, options.overrides, options.settings, iterations, text=text)
    check_packages(recipe)
    plugins = registry()
    stages = compile_recipe(recipe, plugins, {"teacher": options.teacher_url, "captioner": options.captioner_url})
    workspace = Workspace(
        open_home(), plugins, recipe.format, executor=make_executor(recipe.executor, plugins.files),
        reject_above=recipe.reject_above, strict=recipe.strict, seed=recipe.seed,
    )  # fmt: skip
    pipeline = Pipeline(workspace, recipe, stages, Run(name=recipe.name, recipe=recipe.name, status="running"))
    if until is not None:
        pipeline.up_to(until)
    if check:
        pipeline.check()
        pipeline.claim(options.name, suffix)
    return pipeline


def show_plan(pipeline: Pipeline, gpus: Gpus | None = None) -> None:
    """Print the stages of a pipeline, with those already done marked, and what keeps it from running.

    Args:
        pipeline: to be shown.
        gpus: to plan for; None for those of this machine.

    Raises:
        click.exceptions.Exit: with 2, where it cannot be carried out on the GPUs that are named.
    """
    from openvlt.pipeline.hours import in_all
    from openvlt.pipeline.memory_plan import gpus_here
    from openvlt.pipeline.plan_verdict import fitting, notes, refusals

    pipeline.workspace.gpus = gpus
    planned = list(pipeline.plan())
    known = gpus or gpus_here()
    _show_stages(planned, with_hours=known.count > 0)
    waiting = [each.hours for _, each, cached in planned if not cached and each.model]
    used = " and ".join(sorted({each.backend for _, each, cached in planned if each.backend and not cached}))
    hours = f"{in_all(waiting)} An estimate at an assumed speed{used and f', with {used} as backend'} (docs/gpu.md)."
    described = {stage.name: each for stage, each, _ in planned}
    told = (hours if known.count and waiting else "", _compared(pipeline), *notes(described))
    if said := "\n".join(filter(None, told)):
        click.echo(f"\n{said}")
    _show_memory({stage.name: each for stage, each, _ in planned if stage.stage_kind == "train"}, known)
    if known.count and (fits := fitting(described, known)):
        click.echo(fits)
    if cluster := pipeline.workspace.executor.joins:
        click.echo(f"Models without a URL run on the Ray cluster at {cluster}.")
    if gpus:
        for refusal in (refused := refusals(described)):
            click.echo(refusal, err=True)
        if refused:
            raise click.exceptions.Exit(2)
        return
    try:
        pipeline.check()
    except UsageError as error:
        click.echo(f"This plan cannot be carried out here: {error}", err=True)


def _show_stages(planned: Sequence[tuple[Stage[Any], Description, bool]], *, with_hours: bool) -> None:
    from openvlt.report.table import Table, print_table

    columns = {
        "stage": [stage.name for stage, *_ in planned],
        "component": [each.component for _, each, _ in planned],
        "rows at most": ["unknown" if each.rows is None else f"{each.rows:,}" for _, each, _ in planned],
        "model": [each.model for _, each, _ in planned],
        "memory": [_memory(each) for _, each, _ in planned],
    }
    if with_hours:
        columns["hours at most"] = ["" if done else _hours(each) for _, each, done in planned]
    if any(done for *_, done in planned):
        columns[""] = ["done" if done else "" for *_, done in planned]
    rows = list(zip(*columns.values(), strict=True))
    print_table(Table(tuple(columns), rows, right=("rows at most", "memory", "hours at most")))


def _memory(stage: Description) -> str:
    """As a plan shows it: stages without a model need none."""
    if stage.memory is None:
        return ("see below" if stage.note else "unknown") if stage.model else ""
    return f"{stage.memory / 1e9:.1f} GB"


def _hours(stage: Description) -> str:
    """As a plan shows them: stages without a model take minutes, and nobody estimates these."""
    return str(stage.hours or "not estimated") if stage.model else ""


def _compared(pipeline: Pipeline) -> str:
    """Which benchmarks the training data are compared with; their pictures are known once they are loaded."""
    from openvlt.pipeline.data_stages import Load

    loads = (stage for stage in pipeline.stages if isinstance(stage, Load))
    shown = []
    for asked in dict.fromkeys(each for stage in loads for each in stage.compared_with):
        known = "" if asked.most is None else f"{asked.most:,}"
        with suppress(KeyError, DataError):  # not loaded yet; or damaged, of which `check` tells
            known += f" with {counted(len(pipeline.context.held_out_images([asked])), 'picture')}"
        shown.append(asked.name.removeprefix("load-") + (f" ({known.strip()})" if known else ""))
    return f"Near-duplicates: training data are compared with the questions of {', '.join(shown)}." if shown else ""


def _show_memory(stages: Mapping[str, Description], gpus: Gpus) -> None:
    """Print which GPUs each training uses and what their memory consists of, where the GPUs are known."""
    from openvlt.report.table import Table, print_table

    users: list[tuple[str, str, Mapping[str, float]]] = []
    for name, each in stages.items():
        users.append((name, each.gpus, each.terms))
        if each.server_gpus:
            users.append((f"{name}, server", str(each.server_gpus), each.server_terms))
    shown = [{term: size for term, size in held.items() if size >= _SHOWN_BYTES} for *_, held in users]
    terms = list(dict.fromkeys(chain(*shown)))
    rows = [
        (
            name,
            used,
            f"{sum(held.values()) / 1e9:.1f}" if held else "unknown",
            *(f"{parts[term] / 1e9:.1f}" if term in parts else "" for term in terms),
        )
        for (name, used, held), parts in zip(users, shown, strict=True)
    ]
    if rows and gpus.count:
        title = f"\nGB of each GPU, of which there {gpus.described} (docs/gpu.md)"
        print_table(Table(("stage", "GPUs", "in all", *terms), rows, title=title, labels=1))
