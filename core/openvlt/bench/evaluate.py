"""Judge responses by a benchmark's scorings, and count them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from openvlt.bench.answered import STORED, Answered
from openvlt.bench.definition import Defined
from openvlt.bench.protocol import protocol
from openvlt.bench.responses import Response
from openvlt.bench.result import Result, summarise
from openvlt.bench.scoring import Questions, Reading, score, unknown_ids, verifiers_of
from openvlt.records import Example, Format, Row, Verdict
from openvlt.registry import Registry
from openvlt.verification import VerifierRunner


def evaluate(
    registry: Registry,
    defined: Defined,
    questions: Questions,
    answered: Answered,
    format: Format,
    limit: int | None,
) -> Result:
    """Judge responses by all scorings and count them.

    Args:
        registry: the plugins.
        defined: the benchmark.
        questions: its questions.
        answered: the responses and how they came about.
        format: names the answer tag.
        limit: only the first so many questions were asked.
    """
    started = time.monotonic()
    benchmark = defined.benchmark
    examples, responses = _with_left_out(questions, answered.responses)
    reading = reading_of(defined, answered)
    unknown = unknown_ids(questions.examples, answered.responses) if limit is None else []
    verifiers = verifiers_of(benchmark, registry, format)
    with VerifierRunner(verifiers, format=format) as judge:
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
    if answered.data is not None:
        told["data"].update({key: answered.data[key] for key in ("revision", "split", "limit")})
    return summarise(
        defined.name,
        benchmark,
        rows,
        told,
        scorings=[*benchmark.scorings, *(name for name in answered.verdicts if name not in benchmark.scorings)],
        unanswered=[example.id for example in questions.examples if example.id not in responses],
        failed=failed,
        left_out={each.id: each.reason for each in questions.rejected},
        seconds=answered.seconds + time.monotonic() - started,
        judge_tokens=answered.judge_tokens,
        notes=[
            *_failures(failed, len(examples)),
            *answered.notes,
            *_notes(questions, unknown, stored, answered),
            *_size(defined, told["data"], questions),
        ],
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
    if defined.benchmark.accept_phrases:
        return "phrase"
    return "tag" if answered.asked == "trained" else "whole"


def _with_verdicts(row: Row, verdicts: Mapping[str, Mapping[str, Verdict]]) -> Row:
    """The row with what a judge said of it; without a response it is of a judge's scoring what it is of the others."""
    (judged,) = row.judged
    without = next(iter(judged.verdicts.values()))
    said = {scoring: of.get(row.example.id, without) for scoring, of in verdicts.items()}
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


def _size(defined: Defined, data: Mapping[str, Any], questions: Questions) -> list[str]:
    """What is said of data that does not hold the whole split."""
    size = getattr(defined.benchmark.source, "sizes", {}).get(data["split"], 0)
    n = len(questions.examples) + len(questions.rejected)
    if data["limit"] is not None or n >= size:
        return []
    return [f"the data holds {n:,} of the split's {size:,} questions; the score is over these"]


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
