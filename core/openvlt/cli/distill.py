"""``openvlt distill``: the verified traces of a recipe, without training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openvlt.cli.preparation import RecipeOptions, plan_option, prepare, recipe_options, show_plan

if TYPE_CHECKING:
    from openvlt.pipeline import Pipeline
    from openvlt.pipeline.stage import RowStage
    from openvlt.pipeline.trace_stages import Caption, Distill, Verify
    from openvlt.records import Message, Run
    from openvlt.registry import Built
    from openvlt.report.card import Card


@click.command()
@recipe_options
@click.option(
    "--until", type=click.Choice(["verify", "select"]), default="select", show_default=True,
    help="Write all traces with their verdicts, or those that the filters select.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the data set; by default inside the run's.")
@plan_option
def distill(options: RecipeOptions, until: str, out: Path | None, plan_only: bool) -> None:
    """Make the first traces of RECIPE, a name or a YAML file: caption, distill, verify, select.

    The data set is a folder for datasets.load_dataset, with a card. The same command resumes an interrupted run, and
    'openvlt train' reuses the traces.
    """
    suffix = "-distill" if until == "select" else f"-{until}"  # keeps the data sets of one recipe apart
    pipeline = prepare(options, until=until, check=not plan_only, suffix=suffix)
    if plan_only:
        show_plan(pipeline)
        return
    from openvlt.integrations.dataset import check_folder
    from openvlt.registry.targets import require
    from openvlt.report.live import make_progress

    require("datasets", "pyarrow")  # they write the data set: checked before the work rather than after it
    if out is not None:
        check_folder(out)
    pipeline.workspace.progress = make_progress()
    run = pipeline.carry_out()
    folder = out or pipeline.workspace.home.runs / run.name / "dataset"
    count = _write(pipeline, run, folder)
    click.echo(f"traces  {count}")
    click.echo(f"data    {folder}")
    click.echo(f"run     {pipeline.workspace.home.runs / run.name / 'run.json'}")


def _write(pipeline: Pipeline, run: Run, folder: Path) -> int:
    from openvlt.integrations.dataset import write_dataset
    from openvlt.pipeline.trace_stages import Verify
    from openvlt.records import Row

    verify = next(stage for stage in reversed(pipeline.stages) if isinstance(stage, Verify))
    card, context = _card(pipeline, run, verify), pipeline.context
    chosen = context.value(pipeline.stages[-1]).folder
    card.count(context.value(verify).rows(), chosen.rows(Row))
    return write_dataset(folder, chosen.rows(Row), pipeline.workspace.images, card.text())


def _card(pipeline: Pipeline, run: Run, verify: Verify) -> Card:
    from openvlt.pipeline.data_stages import Filter, Load
    from openvlt.pipeline.trace_stages import Caption, Select
    from openvlt.report.card import Card

    distill = verify.traces
    stages = [*_came_through(distill.examples), pipeline.stages[-1]]
    source = next(stage.source for stage in stages if isinstance(stage, Load))
    teacher = distill.teacher.component
    row = next(pipeline.context.value(distill).rows())
    asking: dict[str, tuple[Built[Any], Caption | Distill, list[Message]]] = {}
    if distill.models:
        asking["teacher"] = distill.teacher, distill, teacher.messages(row.example, row.caption)
    named: list[tuple[str, Built[Any]]] = [("source", source), ("teacher", distill.teacher)]
    for stage in stages:
        if isinstance(stage, Caption):
            named.append(("captioner", stage.captioner))
            if stage.models:
                asking["captioner"] = stage.captioner, stage, stage.captioner.component.messages(row.example.images)
    named += [("verifier", each) for each in verify.verifiers.values()]
    named += [("filter", each) for stage in stages if isinstance(stage, Filter | Select) for each in stage.filters]
    return Card(
        name=run.name,
        sources={source.entry.name: (source.component.licence or "not stated", source.component.revision())},
        components=[(role, built.entry.id, built.options) for role, built in named],
        models={role: _model(pipeline, stage) for role, (_, stage, _) in asking.items()},
        prompts={role: _prompt(messages) for role, (_, _, messages) in asking.items()},
        stages=run.stages,
        k=distill.samples,
    )


def _came_through(rows: RowStage) -> Iterator[RowStage]:
    """Yield the stages that the examples of traces came through, the last first."""
    from openvlt.pipeline.data_stages import Filter
    from openvlt.pipeline.trace_stages import Caption

    yield rows
    if isinstance(rows, Caption | Filter):
        yield from _came_through(rows.examples)


def _model(pipeline: Pipeline, stage: Caption | Distill) -> str:
    from openvlt.stages.ask import MODEL

    model, workspace = stage.models[MODEL], pipeline.workspace
    workspace.models["policy"] = pipeline.context.policy(stage.trained)
    found = workspace.resolve(model)
    id = pipeline.recipe.base.id if model.id == "base" else model.id
    revision = f", revision {model.revision}" if model.revision else ""
    if stage.trained:
        named = f"the model that {stage.trained.name} trained, content {found.digest[:12]}"
    elif Path(id).exists():  # a path means nothing on other machines; a digest does
        named = f"{Path(id).name}, content {found.digest[:12]}"
    else:
        named = f"{id}{revision}"
    return f"{named}, on {found.backend.entry.name}"


def _prompt(messages: Sequence[Message]) -> str:
    return "\n\n".join(
        f"[{message.role}]\n" + "".join(part if isinstance(part, str) else "<image>" for part in message.content)
        for message in messages
    )
