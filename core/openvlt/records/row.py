"""What a stage takes and gives: an example and all that is known of it so far."""

from __future__ import annotations

from dataclasses import dataclass

from openvlt.records.claim import Judged, Trace
from openvlt.records.example import Example


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An example on its way through the stages.

    Attributes:
        example: the question.
        caption: what the captioner said of its images.
        traces: the chains sampled for it, by sample index.
        judged: the same chains with their verdicts; once they are judged, `traces` is empty.
    """

    example: Example
    caption: str | None = None
    traces: tuple[Trace, ...] = ()
    judged: tuple[Judged, ...] = ()
