"""``openvlt report``: an HTML page of a run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; by default NAME.html.")
def report(name: str, out: Path | None) -> None:
    """Write an HTML page of the run NAME: scores, stages, counts, traces with images and verdicts."""
    from openvlt.report.page import page
    from openvlt.store import open_home, read_run

    home = open_home()
    out = out or Path(f"{name}.html")
    out.write_text(page(home, read_run(home, name)), encoding="utf-8")
    click.echo(f"page    {out}")
