"""The rows a trainer reads: traces (those of a teacher, or ready ones), pairs of traces, or prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from openvlt.extraction import parse
from openvlt.interfaces import Reads
from openvlt.records import Completion, Example, Format, Row, Trace

RESPONSE = "response"
"""Metadata key of an example's ready response."""


def ready_trace(example: Example, format: Format) -> Trace:
    """The trace that comes with an example: its response, with the gold answer where that gives none, else only that.

    Args:
        example: its response is in the metadata.
        format: of the tags in the response.
    """
    response = example.metadata.get(RESPONSE)
    trace = parse(Completion(text=response if isinstance(response, str) else ""), format)
    return trace if trace.answer is not None else replace(trace, answer=example.answer)


def training_rows(
    rows: Iterable[Row], reads: Reads, ready: Format | None = None
) -> Iterator[tuple[Example, tuple[Trace, ...]]]:
    """Yield what a trainer learns from: examples, each with the traces that belong to it.

    Args:
        rows: of a select stage, or of a load stage for a trainer that reads prompts.
        reads: ``traces`` yields an example once for each of its traces that has an answer; ``pairs`` matches its first
            correct trace with its first incorrect one, the second with the second, and so on, so that each trace is
            used at most once and no question outweighs the others; ``prompts`` yields each example once, without
            traces.
        ready: ``traces`` are those that come with the examples (see `ready_trace`), in this format.
    """
    for row in rows:
        if reads == "prompts":
            yield row.example, ()
        elif reads == "traces" and ready is not None:
            yield row.example, (ready_trace(row.example, ready),)
        elif reads == "traces":
            for judged in row.judged:
                if judged.trace.answer is not None:
                    yield row.example, (judged.trace,)
        else:
            correct = [judged.trace for judged in row.judged if judged.is_correct]
            incorrect = [judged.trace for judged in row.judged if judged.is_incorrect]
            for pair in zip(correct, incorrect, strict=False):
                yield row.example, pair
