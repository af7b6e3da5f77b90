"""Answers made elsewhere: our own files, those of the benchmarks' official repositories, and VLMEvalKit's tables.

A row is a response if it has an id (``id``, ``pid``, ``sample_index`` or ``index``) and a text (``response`` or
``prediction``; a bare value in an object by id); or if it is a row of one of our own runs. MathVista's result files
may carry the extracted answer (``extraction``), MathVision's the processed one (``model_answer``), our own the token
counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openvlt.errors import DataError
from openvlt.records import FinishReason, Trace
from openvlt.tables import read_rows

IDS = ("id", "pid", "sample_index", "index")
TEXTS = ("response", "prediction", "value")
FAILED = "Failed to obtain answer via API"
"""What VLMEvalKit writes where an endpoint failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a model replied to one question.

    Attributes:
        id: of the question.
        text: all of it.
        extraction: the answer somebody extracted from it already, None if nobody did.
        failed: why there is no response, where an error or the endpoint caused it; such a question is undecided.
    """

    id: str
    text: str
    extraction: str | None = None
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    failed: str = ""

    @property
    def trace(self) -> Trace:
        """The response as a model's reply, with the extracted answer for answer."""
        return Trace(
            think="",
            answer=self.extraction,
            raw=self.text,
            finish_reason=self.finish_reason,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
        )


def read_responses(path: Path) -> dict[str, Response]:
    """Read a file of responses; rows without a response are skipped, so those questions are unanswered.

    Raises:
        DataError: a line is broken (its number is named), an id is missing or a duplicate, or nothing is a response.
    """
    if not path.is_file():
        raise DataError(
            f"The response file '{path}' does not exist.", "Name a .jsonl, .json, .tsv, .csv or .xlsx file."
        )
    found: dict[str, Response] = {}
    places: dict[str, int] = {}
    row: Mapping[str, Any] = {}
    for place, row in enumerate(map(_flat, read_rows(path)), start=1):
        id = _text(_first(row, IDS))
        if not id:
            raise DataError(f"{path}: row {place} has no id.", f"Give it one of the keys {', '.join(IDS)}.")
        if id in places:
            raise DataError(
                f"{path}: the id '{id}' stands in row {places[id]} and again in row {place}.", "Remove one of the two."
            )
        places[id] = place
        if response := _response(id, row):
            found[id] = response
    if not found:
        raise DataError(f"{path} holds no responses; the keys of its last row are {', '.join(row) or 'none'}.", _SHAPES)
    return found


def _flat(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of our own (``rows.jsonl`` of a run or of a stage of answers) as a plain one; others as they are."""
    example, traces = (
        row.get("example"),
        [*(row.get("traces") or ())] or [judged["trace"] for judged in row.get("judged") or ()],
    )
    if not isinstance(example, dict) or len(traces) != 1:
        return row
    return {**traces[0], "id": example.get("id"), "response": traces[0].get("raw") or None}


_SHAPES = "A row needs an id (id, pid, sample_index, index) and a text (response, prediction)."


def _response(id: str, row: Mapping[str, Any]) -> Response | None:
    text = _first(row, TEXTS)
    extraction = row["extraction"] if "extraction" in row else None if text else row.get("model_answer")
    if text is None and extraction is None:
        return None
    failed = _failure(text)
    return Response(
        id=id,
        text="" if failed else _text(text),
        failed=failed,
        # as Python's str() would have it: the official script does not mind the type
        extraction=str(extraction) if "extraction" in row or extraction is not None else None,
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
