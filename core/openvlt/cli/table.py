"""Prints tables: rich on a terminal, plain aligned columns in a pipe. Whatever models and data wrote is only shown."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from unicodedata import combining, east_asian_width

import click

UNBOUND = 160
"""Characters of a line where there is no terminal."""
GAP = 3
"""Characters between two columns on a terminal; in a pipe there are fewer."""
LEAST = 4
"""Characters a column that names its row is cut to at most."""


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", labels: int | None = None
) -> None:
    """Print rows of text under their column names.

    Args:
        columns: one name a column.
        rows: one text a column; line breaks only show on a terminal.
        title: printed above the table.
        labels: leading columns that name a row. The others hold figures: aligned on the right, and those for which a
            line has no room follow below, under the same labels. None if all columns hold text.
    """
    lines = [[_clean(cell) for cell in line] for line in [columns, *rows]]
    width = shutil.get_terminal_size((UNBOUND, 24)).columns
    show = _print_rich if sys.stdout.isatty() else _print_plain
    for place, block in enumerate([lines] if labels is None else _blocks(lines, labels, width)):
        show(block, title if place == 0 else "", labels)


def _blocks(lines: Sequence[list[str]], labels: int, width: int) -> Iterator[list[list[str]]]:
    """Yield the table in parts no wider than `width`, each with all the labels, cut to half of it."""
    widths = [max(_width(line[column]) for line in lines) for column in range(len(lines[0]))]
    room = min(width - max(widths[labels:], default=0) - GAP * labels, width // 2)
    while sum(widths[:labels]) > room and max(widths[:labels]) > LEAST:
        widest = max(range(labels), key=lambda column: widths[column])
        widths[widest] -= 1
    named = [[_cut(cell, most) for cell, most in zip(line, widths[:labels], strict=False)] for line in lines]
    start, taken = labels, sum(widths[:labels]) + GAP * (labels - 1)
    used = taken
    for column in range(labels, len(widths)):
        if column > start and used + GAP + widths[column] > width:
            yield [name + line[start:column] for name, line in zip(named, lines, strict=True)]
            start, used = column, taken
        used += GAP + widths[column]
    yield [name + line[start:] for name, line in zip(named, lines, strict=True)]


def _print_plain(lines: Sequence[list[str]], title: str, labels: int | None) -> None:
    lines = [[" ".join(cell.split()) for cell in line] for line in lines]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(lines[0]))]
    if title:
        click.echo(title)
    for line in lines:
        cells = [
            " " * (width - _width(cell)) + cell if labels is not None and column >= labels else
            cell + " " * (width - _width(cell))
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]  # fmt: skip
        click.echo("  ".join(cells).rstrip())


def _print_rich(lines: Sequence[list[str]], title: str, labels: int | None) -> None:
    # rich alone costs as much time as the rest of a listing; a pipe never pays it
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title) if title else None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_edge=False
    )
    for column, name in enumerate(lines[0]):
        figures = labels is not None and column >= labels
        table.add_column(Text(name), justify="right" if figures else "left", no_wrap=labels is not None)
    for line in lines[1:]:
        table.add_row(*map(Text, line))
    Console().print(table)


def _clean(text: str) -> str:
    """The text with what could move the cursor or colour the screen written out."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _cut(text: str, most: int) -> str:
    if _width(text) <= most:
        return text
    while _width(text) >= most:
        text = text[:-1]
    return text + "…"


def _width(text: str) -> int:
    """Columns of a terminal the text takes up."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
