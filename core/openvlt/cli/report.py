"""``openvlt report``: an HTML page of a run, of a result, or of two."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openvlt.errors import UsageError

if TYPE_CHECKING:
    from openvlt.report.page import Page


@click.command()
@click.argument("name")
@click.argument("other", required=False)
@click.option("--benchmark", help="Of two results, show this benchmark; by default all that both were scored on.")
@click.option("--data", help="Take the images from here: file or folder of a benchmark scored with --responses.")
@click.option("--full-size", is_flag=True, help="Shrink no image and shorten no text, however large the page gets.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; by default NAME.html.")
def report(
    name: str, other: str | None, benchmark: str | None, data: str | None, full_size: bool, out: Path | None
) -> None:
    """Write an HTML page with the scores and every question of NAME: images, replies, answers, verdicts, reasons.

    NAME is a run, a model of one (RUN/MODEL), or a result of 'openvlt bench'; with OTHER, too, the page shows where the
    two disagree, and one of them may be a file of responses. The page is one file, which needs no network: filter and
    search it, move with j and k, and press ? for all keys.
    """
    from openvlt.report.page import MARK
    from openvlt.store import write_atomically

    if benchmark and not other:
        raise UsageError("--benchmark chooses a benchmark of two results.", "Name the other one, too.")
    out = out or Path("-and-".join(_plain(each) for each in (name, other) if each) + ".html")
    if out.exists() and MARK.encode() not in out.read_bytes()[:1000]:
        raise UsageError(f"{out} was not written by openvlt, so it is not replaced.", "Give --out another file.")
    page = _page(name, other, benchmark, data, full_size)
    content = page.text.encode("utf-8")
    write_atomically(out, content)
    for note in page.notes:
        click.echo(f"Note: {note}.", err=True)
    click.echo(f"page    {out}  {page.questions:,} questions, {len(content) / 1e6:.1f} MB")


def _page(name: str, other: str | None, benchmark: str | None, data: str | None, whole: bool) -> Page:
    from openvlt.bench.scored import find_pairs, find_results, images_of
    from openvlt.cli import registry
    from openvlt.report.page import no_images, page_of_pairs, page_of_results, page_of_run
    from openvlt.stages.workspace import Workspace
    from openvlt.store import open_home, read_run, run_names

    home = open_home()
    workspace = Workspace(home, registry()) if other or data else None
    images = (lambda result: images_of(workspace, result, data)) if workspace and data else no_images
    if workspace and other:
        return page_of_pairs(home, find_pairs(workspace, name, other, benchmark), images, whole=whole)
    if (run := name.removeprefix("run:")) in run_names(home):
        return page_of_run(home, read_run(home, run), images, whole=whole)
    return page_of_results(home, find_results(home, name), images, whole=whole)


def _plain(name: str) -> str:
    """A name, or the path of a folder, as the name of a file."""
    path = Path(name)
    return re.sub(r"[^\w.-]+", "-", path.parent.name if path.name == "result.json" else name.strip("./"))
