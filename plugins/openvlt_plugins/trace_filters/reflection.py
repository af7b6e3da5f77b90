"""Truncation of reasoning at its first reflection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from annotated_types import Ge

from openvlt import Drop, Example, Judged, Option, TraceFilter


@dataclass(frozen=True)
class TruncateReflection(TraceFilter):
    """Truncates the reasoning before the first phrase that begins a reflection; explanation and answer are kept.

    Unfiltered R1 chains teach looping reflection and cost OpenVLThinker 20 points of MathVista, truncated ones 6
    (arXiv 2503.17352, sections 4.2 and 5.2, which give the three phrases). The paper leaves the details open; here,
    phrases are case-sensitive, since "wait," within a sentence is not a reflection; reasoning without any of them is
    unchanged; a trace with fewer than `min_words` left has lost its derivation and is dropped.
    """

    phrases: Annotated[tuple[str, ...], Option("phrases that begin a reflection, case-sensitive")] = (
        "Wait,",
        "But wait,",
        "But the question",
    )
    min_words: Annotated[int, Ge(0), Option("shortest truncated reasoning kept", unit="words")] = 20

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        kept = [cut for one in judged if (cut := self._cut(one)) is not None]
        return kept or Drop(f"fewer than {self.min_words} words before the first reflection")

    def _cut(self, one: Judged) -> Judged | None:
        think = one.trace.think
        starts = [start for phrase in self.phrases if (start := think.find(phrase)) >= 0]
        if not starts:
            return one
        left = think[: min(starts)].rstrip()
        return replace(one, trace=replace(one.trace, think=left)) if len(left.split()) >= self.min_words else None
