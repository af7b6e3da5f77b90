"""The one renderer of tables: rich on a terminal, plain aligned columns in a pipe. Foreign text is escaped."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal
from unicodedata import combining, east_asian_width

import click

from openvlt.terminal import escape, raw

UNBOUND = 160
"""Characters in a line where there is no terminal."""
GAP = 3
"""Characters between two columns on a terminal; a pipe gets fewer."""
LEAST = 4
"""Characters that a label column keeps, however narrow the terminal."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        columns: their names.
        rows: one text per column.
        title: printed above; empty where the table continues the one before.
        labels: leading columns that name a row; the others hold figures, the most important first. Figures are
            aligned right, and those that do not fit follow below under the same labels. None wraps all cells instead.
        right: further columns to align right.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    labels: int | None = None
    right: Collection[str] = ()


def print_table(table: Table) -> None:
    """Print a table, no wider than the terminal."""
    lines = [[escape(cell) for cell in line] for line in [table.columns, *table.rows]]
    width = shutil.get_terminal_size((UNBOUND, 24)).columns
    for index, block in enumerate([lines] if table.labels is None else _blocks(lines, table.labels, width)):
        right = [
            name in table.right or (table.labels is not None and column >= table.labels)
            for column, name in enumerate(block[0])
        ]
        title = "" if index else table.title
        if sys.stdout.isatty():
            _print_rich(block, title, right, fold=table.labels is None)
        else:
            _print_plain(block, title, right)


def _blocks(lines: Sequence[list[str]], labels: int, width: int) -> Iterator[list[list[str]]]:
    """Yield the table in blocks no wider than `width`, each with all the labels, cut to half of it."""
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


def _print_plain(lines: Sequence[list[str]], title: str, right: Sequence[bool]) -> None:
    lines = [[" ".join(cell.split()) for cell in line] for line in lines]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(lines[0]))]
    if title:
        click.echo(title)
    for line in lines:
        cells = []
        for cell, width, to_right in zip(line, widths, right, strict=True):
            padding = " " * (width - _width(cell))
            cells.append(padding + cell if to_right else cell + padding)
        click.echo("  ".join(cells).rstrip())


def _print_rich(lines: Sequence[list[str]], title: str, right: Sequence[bool], *, fold: bool) -> None:
    # rich alone takes as long to import as the rest of a listing; a pipe never pays for it
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(
        title=Text(escape(title)) if title else None,
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
    )
    console = Console(file=raw(sys.stdout))
    widths = _fitted(lines, console.width - GAP * (len(lines[0]) - 1)) if fold else [None] * len(lines[0])
    for name, to_right, width in zip(lines[0], right, widths, strict=True):
        justify: Literal["left", "right"] = "right" if to_right else "left"
        # fold long words: by default rich cuts them, which would lose paths
        overflow: Literal["fold", "ellipsis"] = "fold" if fold else "ellipsis"
        table.add_column(Text(name), justify=justify, no_wrap=not fold, overflow=overflow, width=width)
    for line in lines[1:]:
        table.add_row(
            *(Text(_folded(cell, width) if width else cell) for cell, width in zip(line, widths, strict=True))
        )
    console.print(table)


def _fitted(lines: Sequence[list[str]], room: int) -> list[int]:
    """Widths of columns that take no more than `room`: the widest are narrowed, the first, of names, half as much."""
    names, *rows = lines
    words = [max(map(_width, name.split()), default=0) for name in names]
    widths = [max([words[column], LEAST, *(_width(row[column]) for row in rows)]) for column in range(len(names))]
    while sum(widths) > room and max(widths) > LEAST:
        widths[max(range(len(widths)), key=lambda column: widths[column] / (1 if column else 2))] -= 1
    return widths


def _folded(cell: str, width: int) -> str:
    """The lines of a cell, broken at spaces and hyphens rather than within words."""
    return "\n".join(part for line in cell.splitlines() for part in wrap(line, width) or [""])


def _cut(text: str, most: int) -> str:
    if _width(text) <= most:
        return text
    while _width(text) >= most:
        text = text[:-1]
    return text + "…"


def _width(text: str) -> int:
    """Columns of a terminal that the text occupies."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
