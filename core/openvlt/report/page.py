"""An HTML page of a run or of results: scores, stages, and every question. It needs no other file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from openvlt.bench.result import Result
from openvlt.bench.scored import results_of
from openvlt.records import BenchResult, Image, Run
from openvlt.report.overview import compared, escape, lines, near_duplicates, scores, stages
from openvlt.report.pictures import Pictures
from openvlt.report.questions import TRACES, Answers, Group, gather
from openvlt.report.results import accuracy
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
    there = [each for each in results if each.folder.rows_file.is_file()]
    missing = [
        f"the answers of {each.record.stage} to {each.record.benchmark} were deleted"
        for each in results
        if each not in there
    ]
    groups = list(_benchmarks([(each, each.record.stage) for each in there], images))
    for stage in (each for each in run.stages if each.stage_kind in _TRACED):
        folder = StageFolder(home.root / stage.folder)
        if not folder.rows_file.is_file():
            missing.append(f"the rows of {stage.name} were deleted")
            continue
        groups.append(Group(title=stage.name, answers=[Answers(name=stage.name, folder=folder)]))
        if stage.out > TRACES:
            missing.append(f"of {stage.name} the first {TRACES:,} of {stage.out:,} questions are shown")
    about = ", ".join(
        [run.status if run.recipe == "bench" else f"recipe {run.recipe}, {run.status}", *map(_last, run.scores[-1:])]
    )
    pictures = Pictures(ImageStore(home.images), whole)
    pairs = near_duplicates(home, run.stages, pictures.add)
    parts = [scores(run.scores), stages(run.stages), pairs, lines(dict.fromkeys(run.notes))]
    return _page(pictures, run.name, about, parts, groups, missing)


def page_of_results(home: Home, results: Sequence[Result], images: Images = no_images, *, whole: bool = False) -> Page:
    """The page of one model: what it scored, on each benchmark.

    Raises:
        DataError: the rows of a result are missing or damaged.
    """
    groups = list(_benchmarks([(each, each.record.stage) for each in results], images))
    parts = [scores([each.record for each in results])]
    return _page(
        Pictures(ImageStore(home.images), whole), results[0].name, _last(results[-1].record), parts, groups, []
    )


def page_of_pairs(
    home: Home, pairs: Sequence[tuple[Result, Result]], images: Images = no_images, *, whole: bool = False
) -> Page:
    """The page of two models, A and B, on each benchmark: their difference, and the questions they disagree on.

    Raises:
        DataError: the rows of a result are missing or damaged.
    """
    a, b = pairs[0]
    parts = [compared(*pair) for pair in pairs]
    parts.append(scores([replace(each.record, stage=each.name, versus={}) for pair in pairs for each in pair]))
    named = [(each, f"{letter}: {each.name}") for pair in pairs for letter, each in zip("AB", pair, strict=True)]
    groups = [replace(group, filter="differ") for group in _benchmarks(named, images)]
    return _page(Pictures(ImageStore(home.images), whole), f"{a.name} and {b.name}", "", parts, groups, [])


def _page(
    pictures: Pictures, title: str, about: str, parts: Sequence[str], groups: Sequence[Group], missing: list[str]
) -> Page:
    data, texts = gather(groups, pictures.add, whole=pictures.whole)
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
        "overview": "\n".join([*parts, "<h2>This page</h2>" + lines(lacks) if lacks else ""]),
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


def _last(result: BenchResult) -> str:
    return f"{result.benchmark} {result.stage} {accuracy(result.score)}"
