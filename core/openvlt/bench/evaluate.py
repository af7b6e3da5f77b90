"""Score responses that are there already: a file of them, or those of a finished run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from openvlt.bench.definition import Defined, carries_golds, define
from openvlt.bench.protocol import protocol
from openvlt.bench.responses import Response, read_responses
from openvlt.bench.result import Result, summarise
from openvlt.bench.scoring import UNANSWERED, Questions, Reading, read_questions, score, unknown_ids, verifiers_of
from openvlt.errors import UsageError
from openvlt.records import Example, Format, Row, Sampling, Verdict
from openvlt.registry import Registry
from openvlt.verification import Judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Responses, and how they came about.

    Attributes:
        responses: by id.
        model: who answered, for the protocol.
        asked: whose prompt it was.
        sampling: how replies were decoded, None if they were made elsewhere.
        seconds: wall time of the answers.
        judge: model and prompts of the judge that was asked, None if rules decided.
        judge_tokens: of all prompts and replies of the judge.
        verdicts: of the judge, by scoring and id.
        notes: what the reader of the score should know.
    """

    responses: Mapping[str, Response]
    model: Mapping[str, Any]
    asked: str = "unknown"
    sampling: Sampling | None = None
    seconds: float = 0.0
    judge: Mapping[str, Any] | None = None
    judge_tokens: int = 0
    verdicts: Mapping[str, Mapping[str, Verdict]] = field(default_factory=dict)
    notes: Sequence[str] = field(default=())


def read_file(
    registry: Registry,
    name: str,
    file: Path,
    format: Format,
    *,
    data: Path | None = None,
    split: str | None = None,
    limit: int | None = None,
) -> tuple[Defined, Questions, Answered]:
    """Read a file of responses, and the questions they are for.

    The gold answers come from `data`; else from the file itself where it holds them; else from the hub.

    Raises:
        DataError: the file or the data cannot be read.
    """
    responses = read_responses(file)
    own = None if data or split else carries_golds(registry, name, format, file)
    defined = own or define(registry, name, format, data=data, split=split)
    questions = read_questions(defined.benchmark, limit)
    notes = [_carried(defined, questions, file)] if own and _lacks(defined, questions) else []
    return defined, questions, Answered(responses=responses, model={"responses": file.name}, notes=notes)


def rescore(registry: Registry, result: Result, name: str | None = None) -> Result:
    """Score the responses of a finished run again, by what the benchmark's scorings are now; nobody is asked.

    Raises:
        UsageError: the run is of another benchmark.
    """
    told = result.told
    format = Format(**told["protocol"]["prompt"]["format"])
    defined = define(registry, name or str(told["protocol"]["benchmark"]), format)
    examples = tuple(row.example for row in result.rows)
    gone = {*told["unanswered"], *told["failed"]}
    stored = told["protocol"]["extraction"] in (STORED, "judge")
    responses = {
        row.example.id: Response(
            id=row.example.id,
            text=trace.raw,
            extraction=trace.answer if stored else None,
            finish_reason=trace.finish_reason,
            prompt_tokens=trace.prompt_tokens,
            completion_tokens=trace.completion_tokens,
        )
        for row in result.rows
        for trace in [row.judged[0].trace]
        if row.example.id not in gone
    }
    for id, reason in told["failed"].items():
        responses[id] = Response(id=id, text="", failed=reason)
    if defined.name != result.benchmark and name is not None:
        raise UsageError(f"The run is of the benchmark {result.benchmark}, not {defined.name}.", "Name that one.")
    decoding = told["protocol"]["decoding"]
    answered = Answered(
        responses=responses,
        model=told["protocol"]["model"],
        asked=told["protocol"]["prompt"]["asked"],
        sampling=Sampling(**{**decoding, "stop": tuple(decoding["stop"])}) if isinstance(decoding, dict) else None,
        seconds=told["seconds"],
        judge=told["protocol"]["judge"],
        judge_tokens=told["judge_tokens"],
        verdicts={
            scoring: {row.example.id: row.judged[0].verdicts[scoring] for row in result.rows}
            for scoring in told["scores"]
            if scoring not in defined.benchmark.scorings
        },
    )
    return evaluate(
        registry, defined, Questions(examples, ()), answered, format, told["protocol"]["data"]["limit"],
        revision=told["protocol"]["data"],
    )  # fmt: skip


STORED = "stored"


def evaluate(
    registry: Registry,
    defined: Defined,
    questions: Questions,
    answered: Answered,
    format: Format,
    limit: int | None,
    *,
    revision: Mapping[str, Any] | None = None,
) -> Result:
    """Judge responses by all scorings and count them.

    Args:
        registry: the plugins.
        defined: the benchmark.
        questions: its questions.
        answered: the responses and how they came about.
        format: names the answer tag.
        limit: only the first so many questions were asked.
        revision: what the protocol says of the data, where it is not read again.
    """
    started = time.monotonic()
    benchmark = defined.benchmark
    examples, responses = _with_left_out(questions, answered.responses)
    reading = reading_of(defined, answered)
    unknown = unknown_ids(questions.examples, answered.responses) if limit is None else []
    verifiers = verifiers_of(benchmark, registry, format)
    with Judge(verifiers, format=format) as judge:
        rows = score(examples, responses, judge, format, reading)
    rows = [_with_verdicts(row, answered.verdicts) for row in rows]
    stored = any(response.extraction is not None for response in responses.values())
    told = protocol(
        defined,
        verifiers,
        format,
        questions.examples,
        model=answered.model,
        asked=answered.asked,
        extraction="judge" if answered.judge else STORED if stored else reading,
        judge=answered.judge,
        sampling=answered.sampling,
        limit=limit,
    )
    failed = {example.id: responses[example.id].failed for example in examples if _has_failed(responses, example.id)}
    if revision is not None:
        told["data"].update(revision=revision["revision"], split=revision["split"])
    return summarise(
        defined.name,
        benchmark,
        rows,
        told,
        scorings=[*benchmark.scorings, *(name for name in answered.verdicts if name not in benchmark.scorings)],
        unanswered=[example.id for example in questions.examples if example.id not in responses],
        failed=failed,
        seconds=answered.seconds + time.monotonic() - started,
        judge_tokens=answered.judge_tokens,
        notes=[*_failures(failed, len(examples)), *answered.notes, *_notes(questions, unknown, stored, answered)],
    )


def _with_left_out(
    questions: Questions, responses: Mapping[str, Response]
) -> tuple[Sequence[Example], Mapping[str, Response]]:
    """The questions with those rows of the data that cannot be asked, as failed: the denominator is all of the data."""
    left_out = [Example(id=each.id, question="", answer="") for each in questions.rejected]
    failed = {each.id: Response(id=each.id, text="", failed=each.reason) for each in questions.rejected}
    return (*questions.examples, *left_out), {**responses, **failed}


def _has_failed(responses: Mapping[str, Response], id: str) -> bool:
    return id in responses and bool(responses[id].failed)


def _failures(failed: Mapping[str, str], n: int) -> list[str]:
    """How many questions failed, and why."""
    told = "; ".join(f"{count} x {reason}" for reason, count in Counter(failed.values()).most_common(3))
    return [f"{len(failed)} of {n:,} questions failed and leave the score open ({told})"] if failed else []


def reading_of(defined: Defined, answered: Answered) -> Reading:
    """How the answers of these responses are found, where nobody extracted them."""
    if defined.benchmark.phrases:
        return "phrase"
    return "tag" if answered.asked == "trained" else "whole"


def _with_verdicts(row: Row, verdicts: Mapping[str, Mapping[str, Verdict]]) -> Row:
    """The row with what a judge said of it; what no judge was asked about keeps its other verdicts only."""
    (judged,) = row.judged
    none = Verdict.unparsed(UNANSWERED)
    said = {scoring: of.get(row.example.id, none) for scoring, of in verdicts.items()}
    return replace(row, judged=(replace(judged, verdicts={**judged.verdicts, **said}),)) if said else row


def _notes(questions: Questions, unknown: Sequence[str], stored: bool, answered: Answered) -> list[str]:
    notes = []
    if unknown:
        notes.append(f"{len(unknown)} responses are for ids the data does not have: {_some(unknown)}")
    missing = [example.id for example in questions.examples if example.id not in answered.responses]
    if missing:
        notes.append(f"{len(missing)} questions have no response and count as wrong: {_some(missing)}")
    if not stored and answered.judge is None:
        notes.append("answers were found by rules; no judge was asked")
    return notes


def _lacks(defined: Defined, questions: Questions) -> bool:
    sizes: Mapping[str, int] = getattr(defined.benchmark.source, "sizes", {})
    return len(questions.examples) < sizes.get(defined.benchmark.split, 0)


def _carried(defined: Defined, questions: Questions, file: Path) -> str:
    size = defined.benchmark.source.sizes[defined.benchmark.split]  # type: ignore[attr-defined]
    return (
        f"the gold answers are those of {file.name}, which holds {len(questions.examples)} of the split's {size:,} "
        "questions; the score is over these"
    )


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
