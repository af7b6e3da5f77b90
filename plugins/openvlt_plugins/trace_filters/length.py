"""Filters on the length of the reasoning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from openvlt import Drop, Example, Judged, Option, TraceFilter


@dataclass(frozen=True)
class MaxWords(TraceFilter):
    """Keeps traces whose reasoning is short enough.

    OpenVLThinker tried 500 words and preferred truncating reflection (arXiv 2503.17352, section 5.2).
    """

    limit: Annotated[int, Ge(1), Option("longest reasoning kept", unit="words")] = 500

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        kept = [one for one in judged if len(one.trace.think.split()) <= self.limit]
        return kept or Drop(f"every trace has more than {self.limit} words")


@dataclass(frozen=True)
class MinWords(TraceFilter):
    """Keeps traces whose reasoning is long enough."""

    limit: Annotated[int, Ge(0), Option("shortest reasoning kept", unit="words")] = 5

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        kept = [one for one in judged if len(one.trace.think.split()) >= self.limit]
        return kept or Drop(f"every trace has fewer than {self.limit} words")
