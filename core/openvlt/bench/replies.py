"""What the rows of a response file say, as responses; a value that is no text is refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from openvlt.bench.layouts import Layout, reach, recognise
from openvlt.errors import DataError, Reject, printable
from openvlt.records import Rejected, Trace
from openvlt.tables import read_rows, text_of

HEAD = 32
"""Rows that a layout is recognised by."""
FAILED = "Failed to obtain answer via API"
"""What VLMEvalKit writes where an endpoint failed."""
_POLICY = ("content_filter", "content_policy_violation")
"""Codes of APIs for a request that their policy refuses."""
_CUT = ("length", "max_tokens", "model_length", "max_output_tokens")
"""Reasons of APIs and of inspect_ai for a response that ended at a limit."""
_THOUGHTS = ("reasoning", "thinking", "redacted_thinking")
"""Types of parts beside the text of a message, which reasoning models have."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A row of a file.

    Attributes:
        number: of the row, from 1.
        row: its columns.
        id: of the question; empty if the row has none.
        question: the question or the prompt, in the words of the file; empty if it has none.
        order: what the samples of a question are ordered by.
        replies: the responses, none if the row has none; where an error or something else than a text is in the place
            of one, the reason.
    """

    number: int
    row: Mapping[str, Any]
    id: str
    question: str
    order: float
    replies: tuple[Trace | Rejected, ...]


def read_responses(path: Path, columns: Mapping[str, str] | None = None) -> tuple[Layout, Iterator[Answered]]:
    """Read a file of responses, row by row.

    Args:
        path: of the file.
        columns: paths by field, which replace those of the layout that the first rows have.

    Returns:
        The layout, and the rows.

    Raises:
        DataError: there is no such file, or a row is broken (its number is named).
    """
    if not path.is_file():
        problem = "is no file" if path.exists() else "does not exist"
        raise DataError(
            f"The response file '{path}' {problem}.", "Name a .jsonl, .json, .tsv, .csv, .xlsx, .eval or .log file."
        )
    rows = iter(read_rows(path))
    head = list(islice(rows, HEAD))
    layout = recognise(head, columns)
    return layout, (_answered(layout, number, row) for number, row in enumerate(chain(head, rows), start=1))


def _answered(layout: Layout, number: int, row: Mapping[str, Any]) -> Answered:
    id, order = scalar(reach(row, layout.id)), reach(row, layout.sample)
    question = " ".join(_words(reach(row, layout.question)))
    replies = tuple(_replies(layout, row, id or f"row {number}"))
    return Answered(number, row, id, question, order if isinstance(order, int | float) else 0, replies)


def scalar(value: Any) -> str:
    """A number or a text as text; empty for everything else, such as a list."""
    return printable(text_of(value)) if isinstance(value, str | int | float) else ""


def _replies(layout: Layout, row: Mapping[str, Any], id: str) -> Iterator[Trace | Rejected]:
    samples = reach(row, layout.each) if layout.each else [row]
    if (error := reach(row, layout.error)) is not None:
        if isinstance(error, Mapping) and error.get("code") in _POLICY:
            yield Rejected(id=id, reason=f"refused: {_said(error)}")
            return
        yield Rejected(id=id, reason=f"the file has an error for a response: {_said(error)}")
        return
    samples = samples if isinstance(samples, list) else []
    for sample in samples:
        counted = reach(row, layout.usage) if layout.usage and len(samples) == 1 else sample
        try:
            yield from _of_sample(layout, sample, counted)
        except Reject as reject:
            yield Rejected(id=id, reason=reject.reason)


def _of_sample(layout: Layout, sample: Any, counted: Any) -> Iterator[Trace]:
    """Yield the responses in a sample: usually one.

    Raises:
        Reject: there is something else than a text.
    """
    if not isinstance(sample, Mapping):
        raise Reject(f"the response is a {type(sample).__name__}, not a text")
    if reach(sample, layout.refusal) is not None:
        raise Reject("refused: the model declined to answer")
    said, finish = reach(sample, layout.response), reach(sample, layout.finish)
    if said in (None, "") and finish == "content_filter":
        raise Reject("refused: content filter")
    texts = [layout.spelled.get(text, text) for text in texts_of(said)]
    answer = _extraction(layout, sample, has_text=said is not None)
    if not texts and answer is not None:
        texts = [""]
    whole = len(texts) == 1
    for text in texts:
        if text.startswith(FAILED):
            raise Reject("VLMEvalKit got no response")
        if text or not layout.blank:
            yield Trace(
                think="",
                answer=answer if whole else None,
                raw=printable(text),
                finish_reason="length" if finish in _CUT else "stop",
                prompt_tokens=_count(counted, "prompt_tokens|input_tokens") if whole else 0,
                completion_tokens=_count(counted, "completion_tokens|output_tokens") if whole else 0,
            )


def _extraction(layout: Layout, sample: Mapping[str, Any], *, has_text: bool) -> str | None:
    """The answer that was extracted already; None if there is none."""
    if layout.extraction and layout.extraction in sample and sample[layout.extraction] is None:
        return "None"  # as in MathVista's script, which converts with str() whatever the file has
    for path in (layout.extraction, "" if has_text else layout.answer):
        if (found := reach(sample, path)) is not None:
            return printable(str(found))
    return None


def texts_of(value: Any) -> list[str]:
    """The texts in a response: one, or several that are samples; none if it is empty.

    Raises:
        Reject: it is no text, nor made of text parts.
    """
    if value is None:
        return []
    if isinstance(value, str | int | float):
        return [text_of(value)]
    items = list(_flat(value)) if isinstance(value, list) else [value]
    if all(isinstance(item, str) for item in items):
        return items
    if all(isinstance(item, Mapping) for item in items):
        return ["".join(filter(None, map(_part, items)))]
    other = next(type(item).__name__ for item in items if not isinstance(item, str))
    raise Reject(f"the response is a list with a {other}, not a text")


def _flat(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        elif value is not None:
            yield value


def _part(part: Mapping[str, Any]) -> str:
    """The text of a part of a message, none of its reasoning.

    Raises:
        Reject: it is something else.
    """
    text = part.get("text")
    if isinstance(text, str) and part.get("type", "text") in ("text", "output_text"):
        return text
    if part.get("type") in _THOUGHTS:
        return ""
    if "error" in part:
        raise Reject(f"the file has an error for a response: {_said(part['error'])}")
    raise Reject(f"the response is an object with the keys {', '.join(sorted(part)[:5])}, not a text")


def _said(error: Any) -> str:
    """What an error says, in a line."""
    text = error.get("message") or error.get("code") if isinstance(error, Mapping) else error
    return (scalar(text) or "unknown").strip().partition("\n")[0][:100]


def _words(value: Any) -> Iterator[str]:
    """Yield every text in a prompt, which may be messages of parts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _words(each)
    elif isinstance(value, Mapping):
        yield from _words(value.get("content", value.get("text")))


def _count(value: Any, path: str) -> int:
    count = reach(value, path)
    return count if isinstance(count, int) and count > 0 else 0
