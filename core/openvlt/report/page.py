"""An HTML page of a run or of results: scores, stages, and every question. It needs no other file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from openvlt import terminal
from openvlt.bench.compare import Comparison, compare
from openvlt.bench.result import Result
from openvlt.bench.scored import results_of
from openvlt.errors import UsageError
from openvlt.records import BenchResult, Image, Run, StageRecord
from openvlt.report.curve import curve
from openvlt.report.pictures import Pictures
from openvlt.report.questions import TRACES, Answers, Group, gather
from openvlt.report.results import gains, notes, percent, tables, warnings
from openvlt.report.table import Table
from openvlt.store import Home, ImageStore, StageFolder

MARK = '<meta name="generator" content="openvlt">'
"""Tells a page of openvlt, which a new one may replace, from other files."""

_TRACED = ("verify", "select")


Images: TypeAlias = Callable[[Result], Mapping[str, Sequence[Image]]]
"""The images of a result's questions by id, for rows that have none."""


def no_images(result: Result) -> Mapping[str, Sequence[Image]]:
    return {}


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        text: of the HTML file.
        questions: how many it shows.
        notes: what it does not show, or not in full.
    """

    text: str
    questions: int
    notes: tuple[str, ...]


def page_of_run(home: Home, run: Run, images: Images = no_images, *, whole: bool = False) -> Page:
    """The page of a run, with all models it has scored.

    Args:
        home: has its stages and images; of a stage whose rows were deleted only the counts are shown.
        run: to show.
        images: finds those of a result whose rows have none.
        whole: shrink no image and shorten no text.
    """
    results = results_of(home, run)
    missing = [f"what {each.record.stage} answered on {each.record.benchmark} was deleted" for each in _lost(results)]
    groups = list(_benchmarks([(each, each.record.stage) for each in results if each not in _lost(results)], images))
    for stage in (each for each in run.stages if each.stage_kind in _TRACED):
        folder = StageFolder(home.root / stage.folder)
        if not folder.rows_file.is_file():
            missing.append(f"the rows of {stage.name} were deleted")
            continue
        groups.append(Group(title=stage.name, answers=[Answers(name=stage.name, folder=folder)]))
        if stage.out > TRACES:
            missing.append(f"of {stage.name} the first {TRACES:,} of {stage.out:,} questions are shown")
    about = f"recipe {run.recipe}, {run.status}"
    parts = [_scores(run.scores), _stages(run.stages), _lines(dict.fromkeys(run.notes))]
    return _page(home, run.name, about, parts, groups, missing, whole)


def page_of_results(home: Home, results: Sequence[Result], images: Images = no_images, *, whole: bool = False) -> Page:
    """The page of one model: what it scored, on each benchmark.

    Raises:
        DataError: the rows of a result are missing or damaged.
    """
    groups = list(_benchmarks([(each, each.record.stage) for each in results], images))
    return _page(home, results[0].name, "", [_scores([each.record for each in results])], groups, [], whole)


def page_of_pairs(
    home: Home, pairs: Sequence[tuple[Result, Result]], images: Images = no_images, *, whole: bool = False
) -> Page:
    """The page of two models, A and B, on each benchmark: their difference, and the questions they disagree on.

    Raises:
        DataError: the rows of a result are missing or damaged.
    """
    a, b = pairs[0]
    parts = [_compared(*pair) for pair in pairs]
    parts.append(_scores([replace(each.record, stage=each.name, versus={}) for pair in pairs for each in pair]))
    named = [(each, f"{letter}: {each.name}") for pair in pairs for letter, each in zip("AB", pair, strict=True)]
    groups = [replace(group, filter="differ") for group in _benchmarks(named, images)]
    return _page(home, f"{a.name} and {b.name}", "", parts, groups, [], whole)


def _page(
    home: Home, title: str, about: str, parts: Sequence[str], groups: Sequence[Group], missing: list[str], whole: bool
) -> Page:
    pictures = Pictures(ImageStore(home.images), whole)
    data, texts = gather(groups, pictures.add, whole=whole)
    lacks = [*missing, *pictures.notes()]
    if any(_are_without_images(group) for group in groups) and not pictures.data:
        lacks.append("responses made elsewhere are scored without images; --data shows those that the data has")
    if texts.shortened:
        many = "texts are" if texts.shortened > 1 else "text is"
        lacks.append(f"{texts.shortened:,} {many} shortened to {texts.longest:,} characters (--full-size keeps all)")
    images = "".join(
        f'<script type="text/plain" id="image-{number}">{content}</script>'
        for number, content in enumerate(pictures.data)
    )
    filled = {
        "title": escape(title),
        "about": escape(about),
        "overview": "\n".join([*parts, "<h2>This page</h2>" + _lines(lacks) if lacks else ""]),
        "data": embedded(data),
        "images": images,
    }
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    filled["policy"] = MARK + _policy(text)
    text = re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], text)
    return Page(text, sum(len(group["questions"]) for group in data), tuple(lacks))


def embedded(data: Any) -> str:
    """JSON that may stand within a script element: nothing in it ends the element or begins a comment."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _policy(template: str) -> str:
    """What a browser may do with the page: show images it has, and run this one script, known by its digest."""
    digests = {
        tag: base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        for tag in ("style", "script")
        if (found := re.search(rf"<{tag}>(.*?)</{tag}>", template, re.S))
    }
    return (
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; base-uri 'none'; "
        f"form-action 'none'; style-src 'sha256-{digests['style']}'; script-src 'sha256-{digests['script']}'\">"
    )


def _benchmarks(results: Sequence[tuple[Result, str]], images: Images) -> Iterator[Group]:
    """The models by benchmark, as they are called."""
    for benchmark in dict.fromkeys(result.record.benchmark for result, _ in results):
        of = [(result, name) for result, name in results if result.record.benchmark == benchmark]
        answers = [Answers(name=name, folder=result.folder, record=result.record) for result, name in of]
        yield Group(title=benchmark, answers=answers, images=images(of[0][0]))


def _are_without_images(group: Group) -> bool:
    return not group.images and any(each.record and each.record.protocol.model.responses for each in group.answers)


def _lost(results: Sequence[Result]) -> list[Result]:
    return [result for result in results if not result.folder.rows_file.is_file()]


def _scores(results: Sequence[BenchResult]) -> str:
    if not results:
        return ""
    shown = "".join(map(_table, tables(results)))
    curves = "".join(map(curve, results))
    said = _lines([*gains(results), *warnings(results), *notes(results)])
    return f"<h2>Scores</h2>{shown}{curves}{said}"


def _compared(a: Result, b: Result) -> str:
    """The difference between two results, as `openvlt compare` finds it."""
    try:
        found = compare(a, b, force=True)
    except UsageError as error:
        return _lines([str(error)])
    rows = [(f"A: {a.name}", percent(found.accuracy[0])), (f"B: {b.name}", percent(found.accuracy[1]))]
    title = f"{found.benchmark} ({found.scoring}), {found.n:,} questions in both"
    return "<h2>B against A</h2>" + _table(Table(("result", found.of), rows, title)) + _lines(_difference(found))


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


def _stages(stages: Sequence[StageRecord]) -> str:
    if not stages:
        return ""
    columns = ["stage", "in", "out", "rejected", "counts", "seconds"]
    lines = [
        [stage.name, f"{stage.taken:,}", stage.made, _counts(stage.rejected), _counts(_figures(stage)),
         "reused" if stage.cached else f"{stage.seconds:.1f}"]
        for stage in stages
    ]  # fmt: skip
    return "<h2>Stages</h2>" + _table(Table(columns, lines))


def _figures(stage: StageRecord) -> Mapping[str, float]:
    return {name: round(count, 3) for name, count in stage.counts.items() if name != "seconds"}


def _counts(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {count:g}" for name, count in counts.items())


def _lines(texts: Iterable[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


def _table(table: Table) -> str:
    title = f"<h3>{escape(table.title)}</h3>" if table.title else ""
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in line) for line in table.rows)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'{title}<div class="table"><table><tr>{head}</tr>{body}</table></div>'


def escape(text: str) -> str:
    """Foreign text as HTML that shows it as it is, without control characters."""
    return html.escape(terminal.escape(text))
