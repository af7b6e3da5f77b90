"""An HTML page of a run: scores, stages, traces. It needs no other file and runs no script."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from itertools import islice

from openvlt import terminal
from openvlt.errors import DataError
from openvlt.records import BenchResult, Image, Judged, Row, Run, StageRecord
from openvlt.report.curve import curve
from openvlt.report.results import gains, notes, tables, warnings
from openvlt.store import Home, ImageStore, StageFolder

MARK = '<meta name="generator" content="openvlt">'
"""Tells a page of openvlt, which a new one may replace, from other files."""
EXAMPLES = 8
"""Rows shown per stage."""
SIDE = 320
"""Pixels of the longer side of a shown image."""

_SHOWN = ("verify", "select", "score")
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; } th, td { padding: .2rem .7rem; text-align: right; }
th:first-child, td:first-child, td.text { text-align: left; } tr { border-bottom: 1px solid #ddd; }
article { border: 1px solid #ddd; border-radius: 6px; padding: .7rem 1rem; margin: 1rem 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; background: #f6f6f6; padding: .5rem .7rem; } img { max-height: 12rem; margin: .3rem; }
.correct { color: #0a6b2d; } .incorrect, .unparsed { color: #a3231c; } small { color: #666; }
"""


def page(home: Home, run: Run) -> str:
    """The HTML page of a run.

    Args:
        home: has its stages and images; of a stage whose rows were deleted only the counts are shown.
        run: to show.
    """
    images = ImageStore(home.images)
    parts = [
        f"<h1>{escape(run.name)}</h1><p>Recipe {escape(run.recipe)}, {escape(run.status)}.</p>",
        _scores(run.scores),
        _stages(run.stages),
        "".join(f"<p><small>{escape(note)}</small></p>" for note in dict.fromkeys(run.notes)),
        *(_examples(home, stage, images) for stage in run.stages if stage.stage_kind in _SHOWN),
    ]
    head = f'<meta charset="utf-8">{MARK}{_POLICY}<title>{escape(run.name)}</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _scores(results: Sequence[BenchResult]) -> str:
    if not results:
        return ""
    shown = "".join(
        (f"<h3>{escape(table.title)}</h3>" if table.title else "") + _table(table.columns, table.rows)
        for table in tables(results)
    )
    lines = "".join(f"<p>{escape(line)}</p>" for line in [*gains(results), *warnings(results), *notes(results)])
    return f"<h2>Scores</h2>{shown}{''.join(map(curve, results))}{lines}"


def _stages(stages: Sequence[StageRecord]) -> str:
    columns = ["stage", "in", "out", "rejected", "counts", "seconds"]
    lines = [
        [stage.name, f"{stage.taken:,}", stage.made, _counts(stage.rejected), _counts(_figures(stage)),
         "reused" if stage.cached else f"{stage.seconds:.1f}"]
        for stage in stages
    ]  # fmt: skip
    return "<h2>Stages</h2>" + _table(columns, lines)


def _figures(stage: StageRecord) -> Mapping[str, float]:
    return {name: round(count, 3) for name, count in stage.counts.items() if name != "seconds"}


def _counts(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {count:g}" for name, count in counts.items())


def _examples(home: Home, stage: StageRecord, images: ImageStore) -> str:
    folder = StageFolder(home.root / stage.folder)
    if not folder.rows_file.exists():
        return f"<h2>{escape(stage.name)}</h2><p>Its rows were deleted.</p>"
    rows = islice(folder.rows(Row), EXAMPLES)
    return f"<h2>{escape(stage.name)}, its first examples</h2>" + "".join(_example(row, images) for row in rows)


def _example(row: Row, images: ImageStore) -> str:
    example = row.example
    pictures = "".join(_picture(image, images) for image in example.images)
    choices = "".join(f"<br>({chr(65 + index)}) {escape(choice)}" for index, choice in enumerate(example.choices))
    caption = f"<details><summary>caption</summary><pre>{escape(row.caption)}</pre></details>" if row.caption else ""
    return (
        f"<article><small>{escape(example.source)} {escape(example.id)}</small><div>{pictures}</div>"
        f"<p><b>{escape(example.full_question)}</b>{choices}<br>gold: {escape(example.answer)}</p>{caption}"
        f"{''.join(map(_trace, row.judged))}</article>"
    )


def _trace(judged: Judged) -> str:
    trace = judged.trace
    verdicts = "".join(
        f'<br><span class="{escape(verdict.status)}">{escape(name)}: {escape(verdict.status)}'
        f"{'' if verdict.score is None else f' {verdict.score:g}'}</span> <small>{escape(verdict.reason)}</small>"
        for name, verdict in judged.verdicts.items()
    )
    answer = "none" if trace.answer is None else escape(trace.answer)
    return f"<pre>{escape(trace.raw)}</pre><p>answer: {answer}{verdicts}</p>"


def _picture(image: Image, images: ImageStore) -> str:
    try:
        small, file = images.read(image).copy(), BytesIO()
    except DataError:
        return "<small>image deleted or damaged</small>"
    small.thumbnail((SIDE, SIDE))
    small.save(file, "PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'


def _table(columns: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in line) for line in lines)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def escape(text: str) -> str:
    """Foreign text as HTML that shows it as it is, without control characters."""
    return html.escape(terminal.escape(text))
