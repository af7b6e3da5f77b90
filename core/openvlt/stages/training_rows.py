"""The rows a trainer reads: traces, pairs of traces, or prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from openvlt.interfaces import Reads
from openvlt.records import Example, Row, Trace


def training_rows(rows: Iterable[Row], reads: Reads) -> Iterator[tuple[Example, tuple[Trace, ...]]]:
    """Yield what a trainer learns from: examples, each with the traces that belong to it.

    Args:
        rows: of a select stage, or of a load stage for a trainer that reads prompts.
        reads: ``traces`` yields an example once for each of its traces that has an answer; ``pairs`` matches its first
            correct trace with its first incorrect one, the second with the second, and so on, so that each trace is
            used at most once and no question outweighs the others; ``prompts`` yields each example once, without
            traces.
    """
    for row in rows:
        if reads == "prompts":
            yield row.example, ()
        elif reads == "traces":
            for judged in row.judged:
                if judged.trace.answer is not None:
                    yield row.example, (judged.trace,)
        else:
            correct = [judged.trace for judged in row.judged if judged.is_correct]
            incorrect = [judged.trace for judged in row.judged if judged.is_incorrect]
            for pair in zip(correct, incorrect, strict=False):
                yield row.example, pair
