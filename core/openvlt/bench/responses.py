"""Responses made elsewhere: our own files, those of the benchmarks' official repositories, and VLMEvalKit's tables.

A row is a response if it has an id (``id``, ``pid``, ``sample_index`` or ``index``) and a text (``response`` or
``prediction``; a bare value in an object by id), or if it is a row of one of our own runs. MathVista's result files may
have the extracted answer (``extraction``), MathVision's the processed one (``model_answer``), our own the token counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from openvlt.bench.definition import Definition, define, define_on_file
from openvlt.bench.questions import Questions, Responses, questions
from openvlt.errors import DataError
from openvlt.records import Rejected, Row, Trace
from openvlt.records.bench import UsedModel
from openvlt.stages.workspace import Step, Workspace, write_stage
from openvlt.store import file_digest
from openvlt.tables import read_rows

IDS = ("id", "pid", "sample_index", "index")
TEXTS = ("response", "prediction", "value")
Found: TypeAlias = Mapping[str, Sequence[Trace | Rejected]]
"""The responses to each question, by id."""
FAILED = "Failed to obtain answer via API"
"""What VLMEvalKit writes where an endpoint failed."""


def read_file(workspace: Workspace, spec: Mapping[str, Any], file: Path) -> tuple[Definition, Responses]:
    """Read a file of responses, and the questions they are for.

    Args:
        workspace: of the command.
        spec: the benchmark. Without the keys ``data`` and ``split`` the gold answers are those of the file where it has
            any.
        file: the responses.

    Raises:
        DataError: the file or the data cannot be read, or no response is for a question of the data.
    """
    found = read_responses(file)
    registry, format = workspace.registry, workspace.format
    on_file = None if {"data", "split"} & spec.keys() else define_on_file(registry, spec, format, file)
    definition = on_file or define(registry, spec, format)
    asked = questions(workspace, definition, images=False)
    responses = responses_to(workspace, definition, asked, file, found)
    notes = [f"the gold answers are those of {file.name}"] if on_file else []
    return definition, replace(responses, notes=(*notes, *responses.notes))


def responses_to(workspace: Workspace, definition: Definition, asked: Questions, file: Path, found: Found) -> Responses:
    """What `read_responses` found in a file, as responses to questions.

    Raises:
        DataError: no response is for one of the questions.
    """
    made_of = ("responses", file_digest(file), asked.output.digest)
    step = Step("bench", f"bench-{definition.name}-{file.stem}", 0, made_of)
    made = write_stage(workspace, step, lambda: _with_responses(asked, found), len(asked.ids))
    readable = [id for id in asked.ids if id not in asked.unreadable]
    known = [each for id in readable for each in found.get(id, ())]
    unanswered = tuple(id for id in readable if id not in found)
    failed = {each.id: each.reason for each in known if isinstance(each, Rejected)}
    unknown = _unknown(asked.ids, found, partial=asked.data.limit is not None)
    counts = {len(found[id]) for id in readable if id in found} or {1}
    notes = []
    if counts != {1}:
        span = " to ".join(f"{count}" for count in sorted({min(counts), max(counts)}))
        notes.append(f"there are {span} responses to a question, which are its samples")
    if unknown:
        notes.append(f"{len(unknown)} responses are for ids the data does not have: {_first_few(unknown)}")
    if unanswered:
        notes.append(f"{len(unanswered)} questions have no response and count as wrong: {_first_few(unanswered)}")
    return Responses(
        questions=asked,
        output=made,
        failed={**failed, **asked.unreadable},
        unanswered=unanswered,
        samples=max(counts),
        extracted=any(isinstance(each, Trace) and each.answer is not None for each in known),
        model=UsedModel(responses=file.name),
        notes=tuple(notes),
        stages=(asked.output.record, made.record),
    )


def read_responses(path: Path) -> dict[str, list[Trace | Rejected]]:
    """Read a file of responses.

    Returns:
        By id, the raw responses, with the answer if that was extracted already; or why there is none, where an error
        or an endpoint caused it. They are several samples where an id is repeated, or a row has a list of them. Rows
        without a response are skipped, so their questions are unanswered.

    Raises:
        DataError: a line is broken (its number is named), an id is missing, a list is not one of texts, or no row is a
            response.
    """
    if not path.is_file():
        problem = "is no file" if path.exists() else "does not exist"
        raise DataError(f"The response file '{path}' {problem}.", "Name a .jsonl, .json, .tsv, .csv or .xlsx file.")
    found: dict[str, list[Trace | Rejected]] = {}
    row: Mapping[str, Any] = {}
    for number, row in enumerate(read_rows(path), start=1):
        for each in _flat(row, f"{path}: row {number}"):
            id = _text(_first(each, IDS))
            if not id:
                raise DataError(f"{path}: row {number} has no id.", f"Give it one of the keys {', '.join(IDS)}.")
            if response := _response(id, each):
                found.setdefault(id, []).append(response)
    if not found:
        raise DataError(
            f"{path} has no responses; the keys of its last row are {', '.join(row) or 'none'}.",
            "A row needs an id (id, pid, sample_index, index) and a text (response, prediction).",
        )
    return found


def _flat(row: Mapping[str, Any], where: str) -> Iterator[Mapping[str, Any]]:
    """Yield a row once for each of its responses: those of a list, and those of a row of our own (``rows.jsonl`` of a
    run or of a stage with responses)."""
    example = row.get("example")
    traces = [*(row.get("traces") or ())] or [judged["trace"] for judged in row.get("judged") or ()]
    key = next((key for key in TEXTS if isinstance(row.get(key), list)), None)
    if isinstance(example, dict) and traces:
        yield from ({**each, "id": example.get("id"), "response": each.get("raw") or None} for each in traces)
    elif key is None:
        yield row
    elif all(isinstance(each, str | None) for each in row[key]):
        yield from ({**row, key: each} for each in row[key])
    else:
        other = next(type(each).__name__ for each in row[key] if not isinstance(each, str | None))
        raise DataError(f"{where}: its {key} is a list with a {other}.", "Give a text, or a list of texts (samples).")


def _response(id: str, row: Mapping[str, Any]) -> Trace | Rejected | None:
    text = _first(row, TEXTS)
    extraction = row["extraction"] if "extraction" in row else None if text else row.get("model_answer")
    if text is None and extraction is None:
        return None
    if failure := _failure(text):
        return Rejected(id=id, reason=failure)
    return Trace(
        think="",
        # None becomes "None", as in the official script, which converts with str() whatever the file has.
        answer=str(extraction) if "extraction" in row or extraction is not None else None,
        raw=_text(text),
        finish_reason="length" if row.get("finish_reason") == "length" else "stop",
        prompt_tokens=_count(row.get("prompt_tokens")),
        completion_tokens=_count(row.get("completion_tokens")),
    )


def _failure(text: Any) -> str:
    """Why there is no response, where the tool that wrote the file could not get one."""
    if isinstance(text, Mapping) and "error" in text:
        return "the file has an error for a response"
    return "VLMEvalKit got no response" if isinstance(text, str) and text.startswith(FAILED) else ""


def _first(row: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((row[key] for key in keys if row.get(key) is not None), None)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _with_responses(asked: Questions, found: Found) -> Iterator[Row]:
    for row in asked.output.rows():
        responses = found.get(row.example.id, ()) if row.example.id not in asked.unreadable else ()
        traces = [each for each in responses if isinstance(each, Trace)]
        yield replace(row, traces=tuple(replace(trace, sample=sample) for sample, trace in enumerate(traces)))


def _unknown(ids: Sequence[str], found: Found, *, partial: bool) -> list[str]:
    """Ids of responses to questions the data does not have; none if it was read only in part.

    Raises:
        DataError: no response is for a question of the data.
    """
    known = set(ids)
    unknown = [id for id in found if id not in known]
    if len(unknown) == len(found):
        raise DataError(
            f"None of the {len(unknown)} responses is for a question of the data: its ids are like "
            f"{', '.join(sorted(known)[:3])}, those of the responses like {', '.join(unknown[:3])}.",
            "Name the benchmark, split and data the responses were made for.",
        )
    return [] if partial else unknown


def _first_few(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
