"""Responses that are there already, a file of them or those of a finished run, and the questions they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openvlt.bench.definition import Defined, carries_golds, define
from openvlt.bench.responses import Response, read_responses
from openvlt.bench.result import Result
from openvlt.bench.scoring import Questions, read_questions
from openvlt.errors import UsageError
from openvlt.records import Format, Rejected, Row, Sampling, Verdict
from openvlt.registry import Registry

STORED = "stored"
"""How answers were found that came with their responses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Responses, and how they came about.

    Attributes:
        responses: by id.
        model: who answered, for the protocol.
        asked: whose prompt it was.
        sampling: how replies were decoded, None if they were made elsewhere.
        seconds: wall time of the answers.
        data: what the protocol says of the data, where it is not read again.
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
    data: Mapping[str, Any] | None = None
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
    notes = [f"the gold answers are those of {file.name}"] if own else []
    return defined, questions, Answered(responses=responses, model={"responses": file.name}, notes=notes)


def read_back(
    registry: Registry, result: Result, name: str | None = None, *, anew: bool = False
) -> tuple[Defined, Questions, Answered]:
    """The questions and responses of a finished run, to be scored by another protocol.

    Args:
        registry: the plugins.
        result: of the run.
        name: the YAML file of a benchmark with other scorings; the run's own benchmark if None.
        anew: a judge is asked anew, so what an earlier one said is left out.

    Raises:
        UsageError: the run is of another benchmark.
    """
    told = result.told
    format = Format(**told["protocol"]["prompt"]["format"])
    own = str(told["protocol"]["benchmark"])
    if not name and registry.find("benchmark", own).name != result.benchmark:
        raise UsageError(f"The run is of the benchmark file '{result.benchmark}'.", "Name that file, too.")
    defined = define(registry, name or own, format)
    if name and not defined.is_file and defined.name != result.benchmark:
        raise UsageError(f"The run is of the benchmark {result.benchmark}, not {defined.name}.", "Name that one.")
    rows = [row for row in result.rows if row.example.id not in told.get("left_out", {})]
    found_by = told["protocol"]["extraction"]
    stored = found_by == STORED or (found_by == "judge" and not anew)
    responses = {
        row.example.id: _kept(row, _failure(row, told["failed"], anew), stored)
        for row in rows
        if row.example.id not in told["unanswered"]
    }
    decoding = told["protocol"]["decoding"]
    answered = Answered(
        responses=responses,
        model=told["protocol"]["model"],
        asked=told["protocol"]["prompt"]["asked"],
        sampling=Sampling(**{**decoding, "stop": tuple(decoding["stop"])}) if isinstance(decoding, dict) else None,
        seconds=told["seconds"],
        data=told["protocol"]["data"],
        judge=None if anew else told["protocol"]["judge"],
        judge_tokens=0 if anew else told["judge_tokens"],
        verdicts={} if anew else _said(result),
    )
    left_out = tuple(Rejected(id=id, reason=reason) for id, reason in told.get("left_out", {}).items())
    return defined, Questions(tuple(row.example for row in rows), left_out), answered


def _kept(row: Row, failed: str, stored: bool) -> Response:
    """A response as it was."""
    trace = row.judged[0].trace
    return Response(
        id=row.example.id,
        text=trace.raw,
        extraction=trace.answer if stored and not failed else None,
        finish_reason=trace.finish_reason,
        prompt_tokens=trace.prompt_tokens,
        completion_tokens=trace.completion_tokens,
        failed=failed,
    )


def _failure(row: Row, failed: Mapping[str, str], anew: bool) -> str:
    """Why a question failed; one that only a judge failed on has a response, which another judge may read."""
    return "" if anew and row.judged[0].trace.raw else failed.get(row.example.id, "")


def _said(result: Result) -> dict[str, dict[str, Verdict]]:
    """The verdicts of a judge, by scoring and id."""
    return {
        scoring: {row.example.id: row.judged[0].verdicts[scoring] for row in result.rows}
        for scoring in result.told["scores"]
        if scoring not in result.told["protocol"]["scoring"]
    }
