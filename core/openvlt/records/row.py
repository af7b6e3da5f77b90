"""The input and output of a stage: an example and everything known about it so far."""

from __future__ import annotations

from dataclasses import dataclass

from openvlt.records.claim import Judged, Trace
from openvlt.records.example import Example


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An example on its way through the stages.

    Attributes:
        example: the question.
        caption: the captioner's description of its images.
        traces: its sampled chains, by sample index.
        judged: the same chains with their verdicts; then `traces` is empty.
    """

    example: Example
    caption: str | None = None
    traces: tuple[Trace, ...] = ()
    judged: tuple[Judged, ...] = ()
