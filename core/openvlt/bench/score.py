"""From responses to a score: finds each answer, runs the verifier of every scoring, and counts the verdicts.

This is the one scorer: of `openvlt train`, of `openvlt bench`, and of responses that were made elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from openvlt.bench.aggregate import summarise
from openvlt.bench.compare import versus
from openvlt.bench.definition import Definition
from openvlt.bench.questions import Responses, traces_of
from openvlt.bench.voting import mark_equal
from openvlt.errors import RemoteError
from openvlt.extraction import Reading, extract, parse
from openvlt.records import BenchResult, Claim, Completion, Example, Format, Judged, Rejected, Row, Trace, Verdict
from openvlt.records.bench import AskedAs
from openvlt.stages.workspace import Output, Step, Workspace, write_stage
from openvlt.verification import VerifierRunner
from openvlt.verification.checking import FAULT

CHUNK = 256
"""Responses verified together."""

UNANSWERED = "no response"


def score(
    workspace: Workspace,
    name: str,
    iteration: int,
    stage: str,
    definition: Definition,
    responses: Responses,
    earlier: Mapping[str, Output] | None = None,
) -> tuple[Output, BenchResult]:
    """Score the responses to a benchmark (stage ``score-BENCHMARK-MODEL``).

    Args:
        workspace: its format names the answer tag.
        name: of the stage.
        iteration: of the model.
        stage: name of the model that responded, in the run or given by the user.
        definition: the benchmark.
        responses: what to score.
        earlier: other models' stages of this kind, by name, to compare with question by question.

    Returns:
        The stage, with one row a question and each of its traces judged by every scoring; and the result.
    """
    reading = reading_of(definition, responses.prompt.asked)
    made_of = (
        [(scoring, built.identity) for scoring, built in definition.verifiers.items()],
        workspace.format, reading, responses.judged, responses.failed, responses.output.digest,
        *([responses.samples, responses.refused] if responses.samples > 1 else []),
    )  # fmt: skip
    made = write_stage(
        workspace,
        Step("score", name, iteration, made_of),
        lambda: _judged(workspace, definition, responses, reading),
        responses.output.record.out,
    )
    result = summarise(stage, definition, responses, reading, made.rows(), workspace.format, strict=workspace.strict)
    counts = {"correct": result.correct, "unparsed": result.unparsed, "undecided": result.score.undecided}
    made = replace(made, record=replace(made.record, counts=counts))
    differences = {other: versus(output.rows(), made.rows(), result) for other, output in (earlier or {}).items()}
    return made, replace(result, versus=differences, releases=workspace.registry.releases())


def reading_of(definition: Definition, asked: AskedAs) -> Reading:
    """How answers are found in responses, unless they are extracted already."""
    if definition.reading is not None:
        return definition.reading
    reading = definition.benchmark.component.reading
    return "whole" if reading == "tag" and asked != "trained" else reading


def trace_of(row: Row) -> Trace | None:
    """The first response in a row; None if there is none."""
    return next(iter(traces_of(row)), None)


def read(trace: Trace, format: Format, reading: Reading, example: Example | None = None) -> Trace:
    """Split a raw response into reasoning, explanation and answer; an answer that was extracted already is kept."""
    found = parse(Completion(text=trace.raw), format)
    answer = trace.answer
    if answer is None:
        answer = extract(
            trace.raw, format, reading=reading, example=example, cut=trace.finish_reason == "length"
        ).answer
    return replace(trace, think=found.think, explanation=found.explanation, answer=answer)


def _judged(
    workspace: Workspace, definition: Definition, responses: Responses, reading: Reading
) -> Iterator[Row | Rejected]:
    """Yield the rows with their verdicts; before a row, the reasons why a verifier failed on it.

    Raises:
        RemoteError: the machine failed verifiers, whose verdicts the next run must find.
    """
    rows, lost, headline = responses.output.rows(), Counter[str](), next(iter(definition.verifiers))
    incomplete = {*responses.failed, *responses.unanswered}
    runner = VerifierRunner(
        definition.verifiers, format=workspace.format, strict=workspace.strict, images=workspace.home.images
    )

    def decide(verdicts: Mapping[str, Verdict], trace: Trace, row: Row, index: int) -> Judged:
        # Of a response that the judge was not asked about, the headline says what it would.
        by_judge = row.judged[index].verdicts if row.judged else {}
        return Judged(
            trace=trace, verdicts={**verdicts, **dict.fromkeys(responses.judged, verdicts[headline]), **by_judge}
        )

    with runner:
        while chunk := list(islice(rows, CHUNK)):
            traces = [_scorable(row, responses, workspace.format, reading) for row in chunk]
            claims = [
                Claim(trace=trace, example=row.example, group=row.example.id)
                for row, some in zip(chunk, traces, strict=True)
                for trace in some
            ]
            verdicts = iter(runner.verdicts(claims))
            decided = [(row.example, [decide(next(verdicts), trace, row, index) for index, trace in enumerate(some)])
                       for row, some in zip(chunk, traces, strict=True)]  # fmt: skip
            mark_equal(runner, decided)
            for row, (example, judged) in zip(chunk, decided, strict=True):
                for each in judged:
                    lost.update(verdict.reason for verdict in each.verdicts.values() if verdict.cause == "machine")
                    yield from _failures(row, {name: each.verdicts[name] for name in definition.verifiers})
                wanted = responses.samples if row.example.id in incomplete or not judged else len(judged)
                missing = _without(row, range(len(judged), wanted), definition, responses)
                yield Row(example=example, judged=(*judged, *missing))
    if lost:
        raise RemoteError(
            f"{lost.total()} verdicts on {definition.name} are missing: {'; '.join(lost)}.",
            "Run the same command again when the machine has memory and CPU time for the verifiers.",
        )


def _scorable(row: Row, responses: Responses, format: Format, reading: Reading) -> list[Trace]:
    """The responses that can be scored; none of those that only a judge failed on, which are all there."""
    traces = traces_of(row)
    if row.example.id in responses.failed and len(traces) == responses.samples:
        return []
    return [read(trace, format, reading, row.example) for trace in traces]


def _without(row: Row, samples: range, definition: Definition, responses: Responses) -> Iterator[Judged]:
    """Yield the responses to a question that cannot be scored, or are missing; a file may have fewer to some."""
    reason = responses.failed.get(row.example.id)
    verdict = Verdict.unparsed(UNANSWERED) if reason is None else Verdict.error(reason)
    verdicts = dict.fromkeys([*definition.verifiers, *responses.judged], verdict)
    left = list(traces_of(row)) if not samples.start else []
    for sample in samples:
        trace = left[sample] if sample < len(left) else Trace(think="", answer=None, raw="", sample=sample)
        yield Judged(trace=trace, verdicts=verdicts)


def _failures(row: Row, verdicts: Mapping[str, Verdict]) -> Iterator[Rejected]:
    """Yield the verdicts that are missing because a verifier failed, for the next run to try again."""
    for scoring, verdict in verdicts.items():
        if verdict.cause == "system" and verdict.status != "not_applicable":
            yield Rejected(
                id=row.example.id, reason=f"{scoring}: {verdict.reason}", transient=True, fault=verdict.tier == FAULT
            )
