"""Filters that choose among the traces of one example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from openvlt import Drop, Example, Judged, Option, TraceFilter, UsageError


@dataclass(frozen=True)
class Correct(TraceFilter):
    """Keeps the traces whose answer was found correct."""

    keeps_incorrect: ClassVar[bool] = False

    verifier: Annotated[str, Option("whose verdict counts, by its name in the recipe; empty for any")] = ""

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        return [one for one in judged if self._is_correct(one)] or Drop("no correct trace")

    def _is_correct(self, one: Judged) -> bool:
        if not self.verifier:
            return one.is_correct
        return self.verifier in one.verdicts and one.verdicts[self.verifier].status == "correct"


@dataclass(frozen=True)
class Shortest(TraceFilter):
    """Keeps one correct trace an example, by the number of words of its reasoning.

    OpenVLThinker takes the shortest (arXiv 2503.17352, section 4.1). Its released script takes, of two or more, the
    longest but one: `rank` -2.
    """

    keeps_incorrect: ClassVar[bool] = False

    rank: Annotated[int, Option("1 the shortest, 2 the next, -1 the longest, -2 the longest but one")] = 1

    def __post_init__(self) -> None:
        if self.rank == 0:
            raise UsageError("The filter shortest has no rank 0.", "Count from 1 for the shortest, or from -1.")

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        correct = sorted((one for one in judged if one.is_correct), key=lambda one: len(one.trace.think.split()))
        if not correct:
            return Drop("no correct trace")
        place = self.rank - 1 if self.rank > 0 else len(correct) + self.rank
        return [correct[min(max(place, 0), len(correct) - 1)]]


@dataclass(frozen=True)
class PerQuestion(TraceFilter):
    """Keeps the first traces of an example."""

    count: Annotated[int, Option("traces an example at most")] = 1

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        return judged[: self.count] or Drop("no trace")


@dataclass(frozen=True)
class Unique(TraceFilter):
    """Keeps the first of the traces of an example whose reasoning and answer differ in spacing or case alone."""

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        first: dict[tuple[str, str], Judged] = {}
        for one in judged:
            first.setdefault((_plain(one.trace.think), _plain(one.trace.answer or "")), one)
        return list(first.values()) or Drop("no trace")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
