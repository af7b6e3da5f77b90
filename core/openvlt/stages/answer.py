"""Answer: a model, or a guesser without one, answers every question of a benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from openvlt.engines import Resolved
from openvlt.extraction import extract, parse
from openvlt.interfaces import Benchmark, Source
from openvlt.records import Completion, Example, Format, Message, Rejected, Row, Sampling, Trace
from openvlt.registry import Built
from openvlt.stages.ask import Ask
from openvlt.stages.load import load
from openvlt.stages.map import Value, map_stage
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import StageWriter

Asks = TypeVar("Asks", bound=Ask)


def questions(workspace: Workspace, benchmark: Built, limit: int | None = None) -> Output:
    """Load the questions of a benchmark, as its `choose` chooses them."""
    component = _benchmark(benchmark)
    source = replace(benchmark, component=_Chosen(component))
    return load(workspace, f"load-{benchmark.entry.name}", 0, source, component.split, limit)


def answer(
    workspace: Workspace,
    name: str,
    iteration: int,
    inputs: Output,
    benchmark: Built,
    model: Resolved,
    sampling: Sampling,
    *,
    base: bool,
) -> Output:
    """Ask a model all questions; a question that cannot be asked keeps its place with an empty answer.

    Args:
        workspace: the run's means.
        name: of the stage.
        iteration: of the model.
        inputs: what `questions` returned.
        benchmark: words the prompts.
        model: what is asked.
        sampling: how; ``n`` must be 1.
        base: True for a model never trained to answer in the recipe's format: it is asked with the benchmark's own base
            prompt, and a reply without tag or box is taken whole as the answer.
    """
    work = asking(Ask, workspace, benchmark, model, sampling, base=base)
    step = Step("bench", name, iteration, (work.identity, base, workspace.format, inputs.digest))
    return map_stage(workspace, step, inputs, work, _finish, inputs.record.out)


def asking(
    kind: type[Asks], workspace: Workspace, benchmark: Built, model: Resolved, sampling: Sampling, *, base: bool
) -> Asks:
    """The work of asking a benchmark's questions, in its words; see `answer` for the arguments."""
    component = _benchmark(benchmark)
    words: Callable[[Example, Format], list[Message]] = component.base_messages if base else component.messages
    read = read_bare if base else parse
    return kind(
        workspace,
        benchmark.identity,
        model,
        sampling,
        messages=lambda row: words(row.example, workspace.format),
        parse=lambda completion: read(completion, workspace.format),
        kind=Trace,
    )


def guess(
    workspace: Workspace, name: str, inputs: Output, benchmark: Built, baseline: str, guesser: Callable[[Example], str]
) -> Output:
    """Let a guesser without a model answer."""
    started = time.monotonic()
    step = Step("bench", name, 0, (benchmark.identity, "guess", baseline, inputs.digest))
    with claimed(workspace, step) as (folder, known):
        if known is not None:
            return output(step, folder, known, cached=True, started=started)
        workspace.progress.begin(name, inputs.record.out, "rows")
        writer = StageWriter(folder)
        try:
            for row in inputs.rows():
                said = guesser(row.example)
                writer.row(replace(row, traces=(Trace(think="", answer=said, raw=said),)))
                workspace.progress.advance(1)
        finally:
            writer.close()
        return output(step, folder, writer.finish({"in": inputs.record.out}), cached=False, started=started)


def read_bare(completion: Completion, format: Format) -> Trace:
    """Read the reply of a model that was asked for a bare answer: without tag or box, all of it is the answer."""
    trace = parse(completion, format)
    found = extract(completion.text, format)
    bare = completion.text.strip()
    if found.rule != "none" or found.start >= 0 or not bare or completion.finish_reason == "length":
        return trace
    return replace(trace, think="", answer=bare)


@dataclass(frozen=True)
class _Chosen(Source):
    """A benchmark's source, of which only the questions it chooses are read."""

    benchmark: Benchmark

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.benchmark.source.splits

    def revision(self) -> str:
        return self.benchmark.source.revision()

    def size(self, split: str) -> int | None:
        return self.benchmark.source.size(split)

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        left_out: list[Rejected] = []

        def good() -> Iterator[Example]:
            for item in self.benchmark.source.examples(split):
                if isinstance(item, Rejected):
                    left_out.append(item)
                else:
                    yield item

        yield from self.benchmark.choose(good())
        yield from left_out


def _benchmark(built: Built) -> Benchmark:
    assert isinstance(built.component, Benchmark)
    return built.component


def _finish(row: Row, values: list[Value | Rejected]) -> Row | Rejected:
    (value,) = values
    if isinstance(value, Rejected) and value.transient:
        return value
    if isinstance(value, Rejected):
        return replace(row, traces=(Trace(think="", answer=None, raw=""),))
    return replace(row, traces=(value,))
