"""The questions of a benchmark, including those that cannot be asked, for they count; and the responses to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from openvlt.bench.categories import chosen_evenly
from openvlt.bench.definition import Definition
from openvlt.errors import DataError, Fault, Reject
from openvlt.records import Example, Image, Rejected, Row, Sampling, StageRecord, Trace
from openvlt.records.bench import UsedData, UsedJudge, UsedModel, UsedPrompt
from openvlt.results import check_example, check_type
from openvlt.stages.accepting import accepted, rejected
from openvlt.stages.workspace import Output, Step, Workspace, write_stage
from openvlt.store import digest

JUDGE_FAILED = "judge: "
"""Begins the reason of a verdict that is missing because a judge gave none."""


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of a benchmark.

    Attributes:
        output: one row a question.
        ids: of all questions, in order.
        unreadable: id to reason, for questions that cannot be asked because the row or one of its images is broken.
        data: what the protocol records about them.
    """

    output: Output
    ids: tuple[str, ...]
    unreadable: Mapping[str, str]
    data: UsedData


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """The responses to a benchmark's questions, and how they were obtained.

    Attributes:
        questions: what was asked.
        output: one row a question, with a trace for each raw response, or with none. A trace has an answer only
            if it was extracted already, and a judge's verdicts are kept with it.
        failed: id to reason, for questions that lack a usable response because of an error; they are undecided.
        unanswered: ids of questions without a response although nothing failed; they are wrong.
        samples: number of responses that were wanted for each question.
        extracted: True if the responses came with answers that were extracted already.
        model: name of the model that responded.
        prompt: how it was asked.
        sampling: how responses were decoded; None if they were made elsewhere.
        draws: number of responses to each question by seed, if there are several seeds.
        seconds: wall time of the responses.
        judge: the judge that was asked; None if rules decide.
        judge_tokens: of all prompts and replies of the judge.
        judge_reply_tokens: of all its replies.
        judged: scorings decided by the judge.
        refused: what a request counts for that an endpoint refuses for good.
        notes: what a reader of the score should know.
        stages: the stages it took, in order.
    """

    questions: Questions
    output: Output
    failed: Mapping[str, str]
    unanswered: tuple[str, ...] = ()
    samples: int = 1
    extracted: bool = False
    model: UsedModel
    prompt: UsedPrompt = field(default_factory=UsedPrompt)
    sampling: Sampling | None = None
    draws: Mapping[int, int] = field(default_factory=dict)
    seconds: float = 0.0
    judge: UsedJudge | None = None
    judge_tokens: int = 0
    judge_reply_tokens: int = 0
    judged: tuple[str, ...] = ()
    refused: Literal["open", "wrong"] = "open"
    notes: tuple[str, ...] = ()
    stages: tuple[StageRecord, ...] = ()


def traces_of(row: Row) -> tuple[Trace, ...]:
    """The responses in a row."""
    return row.traces or tuple(judged.trace for judged in row.judged)


def questions(
    workspace: Workspace, definition: Definition, *, images: bool = True, repeated: bool = False
) -> Questions:
    """Load the questions of a benchmark (stage ``load-NAME``).

    Args:
        workspace: stores the images.
        definition: the benchmark, which chooses the questions.
        images: False to read no images, where no model is asked.
        repeated: True if the data is a file of responses, in which a question stands once for each sample.

    Raises:
        DataError: there is no data, its columns are not the benchmark's, an id is a duplicate, or no question can be
            asked.
    """
    benchmark, limit = definition.benchmark.component, definition.limit
    with definition.reading_data(), definition.benchmark.guarded("revision"):
        revision = check_type(benchmark.source.revision(), str, "text")
    made_of = (
        definition.benchmark.identity, revision, benchmark.split, limit, images, *(("repeated",) * repeated),
        *(("evenly over", benchmark.breakdown) if limit else ()),
    )  # fmt: skip
    step = Step("load", f"load-{definition.name}", 0, made_of)
    made = write_stage(workspace, step, lambda: _rows(workspace, definition, images, repeated), definition.size)
    unreadable = {each.id: each.reason for each in made.folder.rejected()}
    if len(unreadable) == made.record.out:
        reason = next(iter(unreadable.values()), "the data has no rows")
        with definition.reading_data():
            raise DataError(
                f"No question of {definition.name} can be asked, of {made.record.out} ({reason}).", "Check its data."
            )
    content = [(e.id, e.full_question, e.answer, e.choices, e.precision) for e in (row.example for row in made.rows())]
    data = UsedData(revision=revision, split=benchmark.split, limit=limit, content=digest(content)[:16])
    return Questions(made, tuple(id for id, *_ in content), unreadable, data)


def _rows(workspace: Workspace, definition: Definition, images: bool, repeated: bool) -> Iterator[Row | Rejected]:
    """Yield every question as a row; one that cannot be asked is rejected as well, and has no images.

    With a limit the data is read twice, so that its images are never all in memory.
    """
    broken: list[Rejected] = []
    name, limit = definition.benchmark.entry.name, definition.limit
    read = _chosen(workspace, definition, broken, repeated)
    if limit:
        left = chosen_evenly(read, broken, limit, definition.benchmark.component.breakdown)
        broken = [each for each in broken if each.id in left]
        read = (each for each in _chosen(workspace, definition, [], repeated) if each.id in left)
    for example in read:
        try:
            stored = _checked_images(workspace, example, images)
        except Reject as reject:
            stored = ()
            yield Rejected(id=example.id, reason=reject.reason, transient=reject.transient)
        yield Row(example=replace(example, source=name, images=stored))
    for each in broken:
        yield each
        yield Row(example=Example(id=each.id, question="", answer="", source=name))
    workspace.images.sync()


def _chosen(workspace: Workspace, definition: Definition, broken: list[Rejected], repeated: bool) -> Iterator[Example]:
    """Yield the rows that the benchmark chooses; a question on which a choice row by row fails cannot be asked."""
    guard, has_more = definition.benchmark.guarded("choose"), True
    left = _read(workspace, definition, broken, repeated)

    def read() -> Iterator[Example]:
        nonlocal has_more
        for example in left:
            guard.row = example.id
            yield example
        has_more, guard.row = False, ""

    while has_more:
        guard.row = ""
        try:
            with guard:
                for example in definition.benchmark.component.choose(read()):
                    yield check_example(example)
            return
        except Reject as reject:
            failed = reject
        except Fault as fault:
            if not guard.row:  # it failed on no question of its own, and a part of them has no score
                raise
            failed = workspace.survived(fault)
        broken.append(rejected(guard.row, failed))


def _read(workspace: Workspace, definition: Definition, broken: list[Rejected], repeated: bool) -> Iterator[Example]:
    """Yield the readable rows of the data, and add the others to `broken`."""
    benchmark = definition.benchmark.component
    seen: set[str] = set()
    with definition.reading_data():
        for item in accepted(workspace, definition.benchmark, benchmark.source, benchmark.split):
            if item.id in seen and repeated:
                continue
            if item.id in seen:
                raise DataError(f"The id '{item.id}' is a duplicate in the data.", "Remove one of the two rows.")
            seen.add(item.id)
            if isinstance(item, Rejected):
                broken.append(item)
            else:
                yield item


def _checked_images(workspace: Workspace, example: Example, images: bool) -> tuple[Image, ...]:
    """Store the images of a question; none if `images` is False.

    Raises:
        Reject: the question cannot be asked or scored.
    """
    if not example.answer.strip() and not example.metadata.get("unlabelled"):
        raise Reject("empty gold answer")
    if not images:
        return ()
    if not example.question.strip() and not example.images:
        raise Reject("neither question nor image")
    return tuple(workspace.images.add(image) for image in example.images)
