"""``openvlt report``: an HTML page of a run."""

from __future__ import annotations

from pathlib import Path

import click

from openvlt.errors import UsageError


@click.command()
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; by default NAME.html.")
def report(name: str, out: Path | None) -> None:
    """Write an HTML page of the run NAME: scores, stages, counts, traces with images and verdicts."""
    from openvlt.report.page import MARK, page
    from openvlt.store import open_home, read_run, write_atomically

    home = open_home()
    run = read_run(home, name)
    out = out or Path(f"{name}.html")
    if out.exists() and MARK.encode() not in out.read_bytes()[:1000]:
        raise UsageError(f"{out} was not written by openvlt, so it is not replaced.", "Give --out another file.")
    write_atomically(out, page(home, run).encode("utf-8"))
    click.echo(f"page    {out}")
