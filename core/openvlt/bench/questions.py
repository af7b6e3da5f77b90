"""The questions of a benchmark, those that cannot be asked included, for they count; and the replies to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from openvlt.bench.definition import Defined
from openvlt.errors import DataError, Reject
from openvlt.interfaces import Benchmark
from openvlt.records import Example, Rejected, Row, Sampling, StageRecord
from openvlt.records.bench import UsedData, UsedJudge, UsedModel, UsedPrompt
from openvlt.stages.workspace import Output, Step, Workspace, write_stage
from openvlt.store import digest


@dataclass(frozen=True, slots=True)
class Questions:
    """A benchmark's questions.

    Attributes:
        output: one row each.
        unreadable: id to reason, for those that cannot be asked: the row or an image of it is broken.
        data: what the protocol records of them.
    """

    output: Output
    unreadable: Mapping[str, str]
    data: UsedData


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The replies to a benchmark's questions, and how they came about.

    Attributes:
        questions: what was asked.
        output: one row a question: a trace with the raw reply (its answer set only if somebody extracted it already),
            or none. A judge's verdicts are beside the trace.
        failed: id to reason, for questions that got no usable reply; those without a trace here are unanswered.
        model: who replied.
        prompt: how it was asked.
        sampling: how replies were decoded, None if they were made elsewhere.
        seconds: wall time of the replies.
        judge: the judge that was asked, None if rules decide.
        judge_tokens: of all prompts and replies of the judge.
        judged: scorings that the judge decides.
        notes: what a reader of the score should know.
        stages: the stages it took, in order.
    """

    questions: Questions
    output: Output
    failed: Mapping[str, str]
    model: UsedModel
    prompt: UsedPrompt = field(default_factory=UsedPrompt)
    sampling: Sampling | None = None
    seconds: float = 0.0
    judge: UsedJudge | None = None
    judge_tokens: int = 0
    judged: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    stages: tuple[StageRecord, ...] = ()


def questions(workspace: Workspace, defined: Defined, limit: int | None = None, *, images: bool = True) -> Questions:
    """Load the questions that the benchmark chooses (stage ``load-NAME``).

    Args:
        workspace: stores the images.
        defined: the benchmark.
        limit: only the first so many.
        images: False to read no image, where no model is to be asked.

    Raises:
        DataError: there is no data, its columns are not the benchmark's, an id is there twice, or no question can be
            asked.
    """
    benchmark = defined.benchmark
    revision = benchmark.source.revision()
    size = benchmark.source.size(benchmark.split)
    made_of = (defined.built.identity, revision, benchmark.split, limit, images)
    step = Step("load", f"load-{defined.name}", 0, made_of)
    made = write_stage(workspace, step, lambda: _rows(workspace, defined, limit, images), limit or size)
    unreadable = {each.id: each.reason for each in made.folder.rejected()}
    if len(unreadable) == made.record.out:
        reason = next(iter(unreadable.values()), "the data has no rows")
        raise DataError(
            f"Not one of the {made.record.out} questions of {defined.name} can be asked ({reason}).", "Check its data."
        )
    data = UsedData(revision=revision, split=benchmark.split, limit=limit, content=_content(made))
    return Questions(made, unreadable, data)


def _content(made: Output) -> str:
    examples = (row.example for row in made.rows())
    return digest([(e.id, e.question, e.answer, e.choices, e.precision) for e in examples])[:16]


def _rows(workspace: Workspace, defined: Defined, limit: int | None, images: bool) -> Iterator[Row | Rejected]:
    broken: list[Rejected] = []
    name = defined.built.entry.name
    for chosen in islice(defined.benchmark.choose(_read(defined.benchmark, broken)), limit):
        example = replace(chosen, source=name)
        try:
            yield Row(example=_checked(workspace, example, images))
        except Reject as reject:
            yield Rejected(id=example.id, reason=reject.reason)
            yield Row(example=replace(example, images=()))
    for each in broken:
        yield each
        yield Row(example=Example(id=each.id, question="", answer="", source=name))


def _read(benchmark: Benchmark, broken: list[Rejected]) -> Iterator[Example]:
    """Yield the rows that are questions; those that cannot be read are added to `broken`."""
    seen: set[str] = set()
    for item in benchmark.source.examples(benchmark.split):
        if item.id in seen:
            raise DataError(f"The data has the id '{item.id}' twice.", "Remove one of the two rows.")
        seen.add(item.id)
        if isinstance(item, Rejected):
            broken.append(item)
        else:
            yield item


def _checked(workspace: Workspace, example: Example, images: bool) -> Example:
    """The example with its images in the store, or with none.

    Raises:
        Reject: it cannot be asked or scored.
    """
    if not example.answer.strip() and not example.metadata.get("unlabelled"):
        raise Reject("empty gold answer")
    if not images:
        return replace(example, images=())
    if not example.question.strip() and not example.images:
        raise Reject("neither question nor image")
    return replace(example, images=tuple(workspace.images.add(image) for image in example.images))
