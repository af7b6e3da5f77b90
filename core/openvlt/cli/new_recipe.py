"""``openvlt new-recipe``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from openvlt.cli.preparation import GpusType
from openvlt.errors import UsageError

if TYPE_CHECKING:
    from openvlt.interfaces import Gpus


@click.command("new-recipe")
@click.argument("data", nargs=-1, required=True)
@click.option(
    "--columns", multiple=True, metavar="FIELD=COLUMN,...",
    help="Which column is what: question=q,answer=a,images=i,choices=c; repeatable.",
)  # fmt: skip
@click.option("--split", metavar="NAME", help="Split of a dataset on the hub; by default train.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write; by default NAME.yaml in this folder.")
@click.option("--gpus", type=GpusType(), help="GPUs to write it for, such as 4x80; by default this machine's.")
def new_recipe(
    data: tuple[str, ...], columns: tuple[str, ...], split: str | None, out: Path | None, gpus: Gpus | None
) -> None:
    """Write the recipe that 'openvlt train DATA' carries out, to change it.

    DATA are files of questions (JSON Lines, JSON, CSV, TSV, Parquet, Excel), folders, patterns, or a
    dataset on the hub.
    """
    from openvlt.cli import registry
    from openvlt.recipe.own_data import is_data, name_of, recipe_of

    for each in data:
        if not is_data(each):
            raise UsageError(f"'{each}' is no file of rows.", "Name a JSON Lines, JSON, CSV, TSV or Parquet file.")
    out = out or Path(f"{name_of(data[0])}.yaml")
    if out.exists():
        raise UsageError(f"'{out}' exists already.", "Name another file with --out.")
    text, shown = recipe_of(registry(), data, columns, out, split, gpus.count if gpus else None)
    click.echo("\n".join(shown))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    click.echo(f"Wrote {out}. Next: openvlt train {out}")
