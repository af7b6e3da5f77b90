"""``openvlt export``: traces, questions or the model of a run for other tools."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openvlt.errors import UsageError

if TYPE_CHECKING:
    from openvlt.records import Run


@click.command()
@click.argument("name")
@click.option(
    "--as", "form", type=click.Choice(["sharegpt", "easyr1", "verl", "trl", "model"]), required=True,
    help="ShareGPT for LLaMA-Factory, questions for EasyR1 or verl, messages for TRL, or a copy of the model.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new or empty folder.")
@click.option(
    "--stage", metavar="STAGE", help="Stage to export, such as select-1; by default the last that --as can export."
)
@click.option(
    "--rewards", "url", metavar="URL",
    help="Write a reward.py that asks 'openvlt serve-rewards' at URL and needs no openvlt, with easyr1 and verl.",
)  # fmt: skip
def export(name: str, form: str, out: Path, stage: str | None, url: str | None) -> None:
    """Export the traces, questions or model of the run NAME for other tools."""
    from openvlt.store import replacing

    if url is not None and form not in ("easyr1", "verl"):
        raise UsageError(f"--rewards has no effect with --as {form}.", "Omit it.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"The folder {out} is not empty.", "Give --out a new one.")
    if form == "model":
        model = _model(name, stage)
        with replacing(out) as folder:
            shutil.copytree(model, folder, dirs_exist_ok=True)
        click.echo(f"model   {out}")
        return
    with replacing(out) as folder:
        count = _rows(name, form, folder, stage, url)
    click.echo(f"rows    {count}")
    click.echo(f"data    {out}")


def _rows(name: str, form: str, out: Path, stage: str | None, url: str | None) -> int:
    from openvlt.cli import registry
    from openvlt.integrations.exports import EXPORTS
    from openvlt.integrations.scores import write_client, write_reward
    from openvlt.records import Row
    from openvlt.store import ImageStore, find_stage, open_home, read_format, read_reward, read_run

    home = open_home()
    run = read_run(home, name)
    kinds = ("load", "filter", "select") if form in ("easyr1", "verl") else ("select",)
    record, folder = find_stage(home, run, stage or _last(run, kinds, form))
    if record.stage_kind not in kinds:
        raise UsageError(
            f"The stage '{record.name}' has nothing to export as {form}.",
            f"Choose one of kind {' or '.join(kinds)}; 'openvlt runs show {name}' lists them.",
        )
    if url is not None:
        write_client(out, url.rstrip("/"))
    elif form in ("easyr1", "verl"):
        if (reward := read_reward(home, name))["rewards"]:
            write_reward(out, {**reward, "plugins": [str(file) for file in registry().files]})
        else:
            click.echo(
                "Note: the recipe has no rewards, so there is no reward.py; docs/verifiers.md has one.", err=True
            )
    return EXPORTS[form](folder.rows(Row), read_format(home, name), ImageStore(home.images), out, name)


def _last(run: Run, kinds: tuple[str, ...], form: str) -> str:
    """The last stage of these kinds; what is loaded before the first iteration are the questions of benchmarks."""
    for record in reversed(run.stages):
        if record.stage_kind in kinds and record.iteration > 0:
            return record.name
    raise UsageError(
        f"The run '{run.name}' has no stage to export as {form}.",
        f"Name a run with one of kind {' or '.join(kinds)}; 'openvlt runs show {run.name}' lists its stages.",
    )


def _model(name: str, stage: str | None) -> Path:
    from openvlt.store import find_stage, open_home, read_run

    home = open_home()
    run = read_run(home, name)
    if stage is None and not run.model and run.status == "done":
        raise UsageError(
            f"The run '{name}' is done, and no stage of it trains a model.",
            "Name a run that has one; 'openvlt runs' shows the last model of each.",
        )
    if stage is None and not run.model:
        raise UsageError(f"The run '{name}' has no model yet.", "Finish it with 'openvlt train'.")
    stage = stage or "train"
    record, folder = find_stage(home, run, stage)
    if (model := folder.model()) is None:
        unfinished = record.stage_kind == "train"
        raise UsageError(
            f"The stage '{record.name}' has no {'finished ' * unfinished}model.",
            "Run its training again, which resumes it." if unfinished else "Choose a training.",
        )
    return model
