"""The parts of a page that need no script: scores, differences, stages, near-duplicates. All text is escaped."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from openvlt import terminal
from openvlt.bench.compare import Comparison, compare
from openvlt.bench.result import Result
from openvlt.errors import UsageError
from openvlt.near_duplicates import NearDuplicate
from openvlt.records import BenchResult, Image, StageRecord
from openvlt.report.curve import curve
from openvlt.report.results import gains, notes, percent, tables, warnings
from openvlt.report.table import Table
from openvlt.stages.near_duplicates import pairs_of
from openvlt.store import Home

SHOWN = 200
"""Near-duplicates that are shown; the counts of the stages have all."""
FIGURE = ' class="figure"'


def scores(results: Sequence[BenchResult]) -> str:
    if not results:
        return ""
    shown = "".join(map(table_of, tables(results)))
    curves = "".join(map(curve, results))
    said = lines([*gains(results), *warnings(results), *notes(results)])
    return f"<h2>Scores</h2>{shown}{curves}{said}"


def compared(a: Result, b: Result) -> str:
    """The difference between two results, as `openvlt compare` finds it."""
    try:
        found = compare(a, b, force=True)
    except UsageError as error:
        return lines([str(error)])
    rows = [(f"A: {a.name}", percent(found.accuracy[0])), (f"B: {b.name}", percent(found.accuracy[1]))]
    title = f"{found.benchmark} ({found.scoring}), {found.n:,} questions in both"
    return (
        "<h2>B against A</h2>"
        + table_of(Table(("result", found.of), rows, title, labels=1))
        + lines(_difference(found))
    )


def _difference(found: Comparison) -> Iterator[str]:
    low, high = found.ci95
    yield (
        f"B - A: {100 * found.difference:+.1f} points, 95 % {100 * low:+.1f} to {100 * high:+.1f}, paired; "
        f"B won {len(found.won)} and lost {len(found.lost)} questions, {found.test} p {found.p:.3g}."
    )
    if found.undecided:
        yield f"{found.undecided:,} questions are undecided in A or B."
    for difference in (*found.protocol_differences, *found.expected_differences):
        yield f"A and B differ: {difference}."


def stages(stages: Sequence[StageRecord]) -> str:
    if not stages:
        return ""
    columns = ["stage", "in", "out", "rejected", "counts", "seconds"]
    rows = [
        [stage.name, f"{stage.taken:,}", stage.made, _counts(stage.rejected), _counts(_figures(stage)),
         "reused" if stage.cached else f"{stage.seconds:.1f}"]
        for stage in stages
    ]  # fmt: skip
    return "<h2>Stages</h2>" + table_of(Table(columns, rows, right=("in", "out", "seconds")))


def _figures(stage: StageRecord) -> Mapping[str, float]:
    return {name: round(count, 3) for name, count in stage.counts.items() if name != "seconds"}


def _counts(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {count:g}" for name, count in counts.items())


def near_duplicates(home: Home, stages: Sequence[StageRecord], picture: Callable[[Image], int | str]) -> str:
    """The training rows that were dropped since they repeat a question of a benchmark, picture beside picture.

    Args:
        home: has what the stages wrote.
        stages: of a run.
        picture: gives the number of an image, or why it is not shown.
    """
    pairs = [(stage.name, pair) for stage in stages if stage.folder for pair in pairs_of(home.root / stage.folder)]
    if not pairs:
        return ""
    rows = "".join(_pair(name, pair, picture) for name, pair in pairs[:SHOWN])
    head = "".join(f"<th>{each}</th>" for each in ("stage", "row", "repeats", "by", "likeness", "images"))
    more = lines([f"The first {SHOWN} of {len(pairs):,} are shown."]) if len(pairs) > SHOWN else ""
    return (
        f"<h2>Dropped from the training data</h2>{more}"
        f'<div class="table pairs"><table><tr>{head}</tr>{rows}</table></div>'
    )


def _pair(stage: str, pair: NearDuplicate, picture: Callable[[Image], int | str]) -> str:
    found = [picture(Image(digest, 0, 0)) for digest in pair.images]
    shown = "".join(f'<span data-image="{each}"></span>' if isinstance(each, int) else escape(each) for each in found)
    cells = (stage, pair.id, f"{pair.benchmark} {pair.question}", pair.by, f"{pair.likeness:.2f}")
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}<td>{shown}</td></tr>"


def lines(texts: Iterable[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


def table_of(table: Table) -> str:
    figures = [
        name in table.right or (table.labels is not None and index >= table.labels)
        for index, name in enumerate(table.columns)
    ]

    def line(tag: str, cells: Sequence[str]) -> str:
        shown = (
            f"<{tag}{FIGURE * is_figure}>{escape(cell)}</{tag}>" for cell, is_figure in zip(cells, figures, strict=True)
        )
        return f"<tr>{''.join(shown)}</tr>"

    title = f"<h3>{escape(table.title)}</h3>" if table.title else ""
    rows = "".join(line("td", cells) for cells in table.rows)
    return f'{title}<div class="table"><table>{line("th", table.columns)}{rows}</table></div>'


def escape(text: str) -> str:
    """Foreign text as HTML that shows it as it is, without control characters."""
    return html.escape(terminal.escape(text))
