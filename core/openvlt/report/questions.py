"""Every question of a page with the replies to it, as the data that the page's script draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeAlias

from openvlt.bench.aggregate import is_excluded, outcome
from openvlt.bench.categories import labels
from openvlt.records import BenchResult, Example, Image, Judged, Row
from openvlt.store import StageFolder
from openvlt.terminal import escape

CHARACTERS = 48 * 2**20
"""Of all texts of a page; where there are more, the longest are shortened until they fit."""
UNBOUND = 2**62
TRACES = 1_000
"""Questions that are shown of each stage of a training."""

State: TypeAlias = Literal["right", "partly", "wrong", "unparsed", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What one model answered, or what one stage of a training kept.

    Attributes:
        name: of the model or stage.
        folder: has the rows.
        record: what was scored; None of a stage of a training.
    """

    name: str
    folder: StageFolder
    record: BenchResult | None = None

    def rows(self) -> Iterator[Row]:
        return islice(self.folder.rows(Row), None if self.record else TRACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Questions that several models may have answered: those of a benchmark, or of a stage.

    Attributes:
        title: its name.
        answers: of each model.
        images: by id of a question, where the rows have none.
        filter: of the page's script, by which it shows them first.
    """

    title: str
    answers: Sequence[Answers]
    images: Mapping[str, Sequence[Image]] = field(default_factory=dict)
    filter: Literal["all", "differ"] = "all"


class Texts:
    """Foreign texts as they are shown, shortened where there are too many.

    Attributes:
        longest: characters of a text.
        shortened: how many were longer.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.shortened = 0

    def __call__(self, text: str) -> str:
        if len(text) > self.longest:
            self.shortened += 1
            half = self.longest // 2
            text = f"{text[:half]}\n[... {len(text) - 2 * half:,} characters ...]\n{text[len(text) - half :]}"
        return escape(text)


def gather(groups: Sequence[Group], picture: Callable[[Image], int | str], *, whole: bool) -> tuple[Any, Texts]:
    """The questions of all groups, for JSON.

    Args:
        groups: to show.
        picture: gives the number of an image, or why it is not shown.
        whole: shorten no text.
    """
    lengths: list[int] = []

    def measured(text: str) -> str:
        lengths.append(len(text))
        return text

    if not whole:
        for answers in (each for group in groups for each in group.answers):
            for row in answers.rows():
                _question(row.example, measured)
                measured(row.caption or "")
                _answer(row, answers.record, measured)
    texts = Texts(level(lengths, CHARACTERS))
    return [_group(group, texts, picture) for group in groups], texts


def level(lengths: Sequence[int], most: int) -> int:
    """The length at which to cut texts, so that all of them have `most` characters together."""
    for index, length in enumerate(sorted(lengths)):
        share = most // (len(lengths) - index)
        if length > share:
            return share
        most -= length
    return UNBOUND


def _group(group: Group, show: Texts, picture: Callable[[Image], int | str]) -> dict[str, Any]:
    questions: dict[str, dict[str, Any]] = {}
    for index, answers in enumerate(group.answers):
        record = answers.record
        for row in answers.rows():
            shown = _question(row.example, show)
            found = questions.setdefault(row.example.id, {**shown, "answers": [None] * len(group.answers)})
            if not found.get("images"):
                images = row.example.images or group.images.get(row.example.id, ())
                found["images"] = [picture(image) for image in images]
            if "tags" not in found:
                found["tags"] = _tags(row.example, record)
                found["caption"] = show(row.caption or "")
                found["unscored"] = record is not None and is_excluded(row.example, record.excluded_from_score)
            found["unlike"] = found.get("unlike", False) or any(found[key] != shown[key] for key in shown)
            found["answers"][index] = _answer(row, record, show)
    return {
        "title": escape(group.title),
        "filter": group.filter,
        "models": [escape(each.name) for each in group.answers],
        "questions": list(questions.values()),
    }


def _question(example: Example, show: Callable[[str], str]) -> dict[str, Any]:
    worded = example.in_words()
    return {
        "id": show(example.id),
        "question": show(worded.full_question),
        "choices": [show(choice) for choice in worded.choices],
        "gold": show(example.answer),
    }


def _tags(example: Example, record: BenchResult | None) -> dict[str, list[str]]:
    """What the question counts for in the breakdown; of a training its source."""
    if record is None:
        return {"source": [escape(example.source)]}
    found = {key: labels(example.metadata, key) for key in record.score.breakdown}
    return {escape(key): [escape(value) for value in values] for key, values in found.items() if values}


def _answer(row: Row, record: BenchResult | None, show: Callable[[str], str]) -> dict[str, Any]:
    """The samples of a model, and their mean score; None if one of them has no verdict."""
    scores = [_score(each, record) for each in row.judged]
    known = [score for score in scores if score is not None]
    problem = record.failed.get(row.example.id, "") if record else ""
    if record and row.example.id in record.unanswered:
        problem = "no response in the file"
    return {
        "score": sum(known) / len(known) if known and len(known) == len(scores) else None,
        "problem": show(problem),
        "samples": [_sample(each, record, show) for each in row.judged],
    }


def _sample(judged: Judged, record: BenchResult | None, show: Callable[[str], str]) -> dict[str, Any]:
    trace = judged.trace
    # the scoring that decides the state comes first
    names = sorted(judged.verdicts, key=lambda name: record is not None and name != record.headline)
    return {
        "state": _state(judged, record),
        "raw": show(trace.raw),
        "answer": None if trace.answer is None else show(trace.answer),
        "cut": trace.finish_reason == "length",
        "tokens": trace.completion_tokens,
        "verdicts": [
            {
                "name": escape(name),
                "status": verdict.status,
                "score": verdict.score,
                "reason": show(" ".join(filter(None, (verdict.reason, verdict.tier and f"({verdict.tier})")))),
                "read": show(str(verdict.detail.get("prediction") or "")),
            }
            for name, verdict in ((name, judged.verdicts[name]) for name in names)
        ],
    }


def _score(judged: Judged, record: BenchResult | None) -> float | None:
    if record is None:
        return 1.0 if judged.is_correct else 0.0 if judged.is_incorrect else None
    verdict = judged.verdicts[record.headline]
    return verdict.score if record.score.mean is not None else outcome(verdict)


def _state(judged: Judged, record: BenchResult | None) -> State:
    score = _score(judged, record)
    is_unparsed = judged.verdicts[record.headline].status == "unparsed" if record else judged.is_unparsed
    if score is None or is_unparsed:
        return "undecided" if score is None else "unparsed"
    return "right" if score >= 1 else "wrong" if score <= 0 else "partly"
