"""``openvlt distill``: the verified traces of a recipe, and nothing trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openvlt.cli.preparation import Asked, plan_option, prepare, recipe_options, show_plan

if TYPE_CHECKING:
    from openvlt.loop import Loop
    from openvlt.records import Message, Model, Run
    from openvlt.report import Card


@click.command()
@recipe_options
@click.option(
    "--until", type=click.Choice(["verify", "select"]), default="select", show_default=True,
    help="Keep all traces with their verdicts, or those the filters choose.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the data set; by default that of the run.")
@plan_option
def distill(asked: Asked, until: str, out: Path | None, plan_only: bool) -> None:
    """Make the traces of RECIPE's first iteration: caption, distill, verify, select; train nothing.

    The data set is a folder for datasets.load_dataset, with a card. Run the same command again to go on where it
    stopped; 'openvlt train' reuses all of it.
    """
    # Of two data sets of one recipe neither takes the other's name.
    loop = prepare(asked, until=until, check=not plan_only, suffix="-distill" if until == "select" else f"-{until}")
    if plan_only:
        show_plan(loop)
        return
    from openvlt.registry.targets import require
    from openvlt.report import make_progress

    require("datasets", "pyarrow")  # which write the data set: asked for before the work, not after it
    loop.workspace.progress = make_progress()
    run = loop.carry_out()
    folder = out or loop.workspace.home.runs / run.name / "dataset"
    count = _write(loop, run, folder)
    click.echo(f"traces  {count}")
    click.echo(f"data    {folder}")
    click.echo(f"run     {loop.workspace.home.runs / run.name / 'run.json'}")


def _write(loop: Loop, run: Run, folder: Path) -> int:
    from openvlt.records import Row
    from openvlt.report import write_dataset
    from openvlt.store import find_stage

    home, card = loop.workspace.home, _card(loop, run)
    _, judged = find_stage(home, run, "verify")
    _, chosen = find_stage(home, run, str(loop.until))
    chosen.check()
    card.count(judged.rows(Row), chosen.rows(Row))
    return write_dataset(folder, chosen.rows(Row), loop.workspace.images, card.text())


def _card(loop: Loop, run: Run) -> Card:
    from openvlt.records import Row
    from openvlt.report import Card
    from openvlt.store import find_stage

    turn = loop.parts.turns[0]
    source, teacher = turn.loaded.source, turn.teacher.component
    row = next(find_stage(loop.workspace.home, run, "distill")[1].rows(Row))
    asked, models = {"teacher": turn.teacher}, {"teacher": turn.model}
    prompts = {"teacher": teacher.messages(row.example, row.caption)}
    if loop.parts.captioner is not None and teacher.uses_caption:
        asked["captioner"], models["captioner"] = loop.parts.captioner
        prompts["captioner"] = asked["captioner"].component.messages(row.example.images)
    named = [("source", source), *asked.items(), *(("verifier", each) for each in loop.parts.verifiers.values())]
    named += [("filter", each) for each in turn.filters]
    return Card(
        name=run.name,
        sources={source.entry.name: (source.component.licence or "not stated", source.component.revision())},
        components=[(role, built.entry.id, built.options) for role, built in named],
        models={role: _model(loop, model) for role, model in models.items()},
        prompts={role: _prompt(messages) for role, messages in prompts.items()},
        stages=run.stages,
        k=teacher.sampling.n,
    )


def _model(loop: Loop, model: Model) -> str:
    from openvlt.stages.models import resolve

    found = resolve(model, loop.workspace)
    id = loop.recipe.base.id if model.id in ("base", "policy") else model.id
    revision = f", revision {model.revision}" if model.revision else ""
    # A folder's path says nothing elsewhere; its content's digest does.
    named = f"{Path(id).name}, content {found.digest[:12]}" if Path(id).exists() else f"{id}{revision}"
    return f"{named}, on {found.backend.entry.name}"


def _prompt(messages: Sequence[Message]) -> str:
    return "\n\n".join(
        f"[{message.role}]\n" + "".join(part if isinstance(part, str) else "<image>" for part in message.content)
        for message in messages
    )
