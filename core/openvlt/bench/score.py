"""From replies to a score: the answer is found, every scoring's verifier decides, and the verdicts are counted.

This is the one scorer: of `openvlt train`, of `openvlt bench`, and of replies that were made elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Literal, TypeAlias

from openvlt.bench.aggregate import summarise
from openvlt.bench.compare import versus
from openvlt.bench.definition import Defined
from openvlt.bench.questions import Answered
from openvlt.extraction import extract, parse
from openvlt.interfaces import Benchmark
from openvlt.records import BenchResult, Claim, Completion, Format, Judged, Rejected, Row, Trace, Verdict
from openvlt.records.bench import AskedAs
from openvlt.stages.workspace import Output, Step, Workspace, write_stage
from openvlt.verification import VerifierRunner

BARE = 60
"""Characters at most of a one-line reply that is taken as nothing but the answer."""

CHUNK = 256
"""Replies verified together."""

UNANSWERED = "no response"

Reading: TypeAlias = Literal["tag", "phrase", "whole"]
"""How the answer is found in a reply: the tag or box; also a phrase or a bare line; or else the whole reply."""


def score(
    workspace: Workspace,
    name: str,
    iteration: int,
    stage: str,
    defined: Defined,
    answered: Answered,
    earlier: Mapping[str, Output] | None = None,
) -> tuple[Output, BenchResult]:
    """Score the replies to a benchmark (stage ``score-BENCHMARK-MODEL``).

    Args:
        workspace: its format names the answer tag.
        name: of the stage.
        iteration: of the model.
        stage: who replied: a model's name in the run, or what the user calls it.
        defined: the benchmark.
        answered: the replies.
        earlier: other models' stages of this kind, by name, to compare with question by question.

    Returns:
        The stage, with one row a question and its one trace judged by every scoring; and the result.
    """
    reading = reading_of(defined.benchmark, answered.prompt.asked)
    made_of = (
        [(scoring, built.identity) for scoring, built in defined.verifiers.items()],
        workspace.format, reading, answered.judged, answered.failed, answered.output.digest,
    )  # fmt: skip
    made = write_stage(
        workspace,
        Step("score", name, iteration, made_of),
        lambda: _judged(workspace, defined, answered, reading),
        answered.output.record.out,
    )
    result = summarise(stage, defined, answered, reading, made.rows())
    differences = {other: versus(output.rows(), made.rows(), result) for other, output in (earlier or {}).items()}
    return made, replace(result, versus=differences)


def reading_of(benchmark: Benchmark, asked: AskedAs) -> Reading:
    """How answers are found in replies, where nobody extracted them."""
    if benchmark.accept_phrases:
        return "phrase"
    return "tag" if asked == "trained" else "whole"


def given(row: Row) -> Trace | None:
    """The reply in a row, None if there is none."""
    traces = row.traces or tuple(judged.trace for judged in row.judged)
    return traces[0] if traces else None


def read(trace: Trace, format: Format, reading: Reading) -> Trace:
    """A raw reply with its parts; an answer that was extracted already is kept."""
    cut = trace.finish_reason == "length"
    found = parse(Completion(text=trace.raw), format)
    answer = answer_in(trace.raw, format, reading, cut=cut) if trace.answer is None else trace.answer
    return replace(trace, think=found.think, explanation=found.explanation, answer=answer)


def answer_in(text: str, format: Format, reading: Reading, *, cut: bool = False) -> str | None:
    """The answer in a reply.

    Args:
        text: all of it.
        format: names the answer tag.
        reading: ``tag``: the embedded rule (last answer tag, else last box); ``phrase``: else what follows "the answer
            is", else a reply of one line of at most `BARE` characters; ``whole``: else all of the reply.
        cut: the token limit ended it, so it is never nothing but the answer.
    """
    found = extract(text, format, accept_phrases=reading == "phrase")
    line = text.strip()
    if found.answer is not None or found.start >= 0 or cut or not line or reading == "tag":
        return found.answer
    return line if reading == "whole" or (len(line) <= BARE and "\n" not in line) else None


def _judged(workspace: Workspace, defined: Defined, answered: Answered, reading: Reading) -> Iterator[Row | Rejected]:
    """Yield the rows with their verdicts, and before a row why a verifier failed on it."""
    rows = answered.output.rows()
    with VerifierRunner(defined.verifiers, format=workspace.format) as runner:
        while some := list(islice(rows, CHUNK)):
            traces = [_reply(row, answered, workspace.format, reading) for row in some]
            claims = [
                Claim(trace=trace, example=row.example, group=row.example.id)
                for row, trace in zip(some, traces, strict=True)
                if trace is not None
            ]
            verdicts = iter(runner.verdicts(claims))
            for row, trace in zip(some, traces, strict=True):
                found = next(verdicts) if trace is not None else _without(row, defined, answered)
                yield from _failures(row, found if trace is not None else {})
                beside = row.judged[0].verdicts if row.judged and trace is not None else {}
                kept = trace or given(row) or Trace(think="", answer=None, raw="")
                yield Row(example=row.example, judged=(Judged(trace=kept, verdicts={**found, **beside}),))


def _reply(row: Row, answered: Answered, format: Format, reading: Reading) -> Trace | None:
    """What is verified, None if there is nothing."""
    trace = given(row)
    return None if trace is None or row.example.id in answered.failed else read(trace, format, reading)


def _without(row: Row, defined: Defined, answered: Answered) -> dict[str, Verdict]:
    reason = answered.failed.get(row.example.id)
    verdict = Verdict.unparsed(UNANSWERED) if reason is None else Verdict.error(reason)
    return dict.fromkeys([*defined.verifiers, *answered.judged], verdict)


def _failures(row: Row, verdicts: Mapping[str, Verdict]) -> Iterator[Rejected]:
    """What the next run tries again: verdicts that are missing because a verifier failed."""
    for scoring, verdict in verdicts.items():
        if verdict.cause == "system" and verdict.status != "not_applicable":
            yield Rejected(id=row.example.id, reason=f"{scoring}: {verdict.reason}", transient=True)
