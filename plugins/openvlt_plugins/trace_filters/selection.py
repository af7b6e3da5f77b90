"""Filters that select from the traces of one example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from openvlt import Drop, Example, Judged, Option, TraceFilter, UsageError


@dataclass(frozen=True)
class Correct(TraceFilter):
    """Keeps the traces whose answer is correct."""

    keeps_incorrect: ClassVar[bool] = False

    verifier: Annotated[str, Option("name of the verifier that decides, as in the recipe; empty for any")] = ""

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.verifier,) if self.verifier else ()

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        return [one for one in judged if self._is_correct(one)] or Drop("no correct trace")

    def _is_correct(self, one: Judged) -> bool:
        if not self.verifier:
            return one.is_correct
        return self.verifier in one.verdicts and one.verdicts[self.verifier].status == "correct"


@dataclass(frozen=True)
class Shortest(TraceFilter):
    """Keeps one correct trace per example, by the number of words of its reasoning.

    OpenVLThinker keeps the shortest (arXiv 2503.17352, section 4.1). Its released script keeps the second longest,
    `rank` -2, if there are two or more.
    """

    keeps_incorrect: ClassVar[bool] = False

    rank: Annotated[
        int, Option("1 for the shortest, 2 for the next, -1 for the longest, -2 for the second longest")
    ] = 1

    def __post_init__(self) -> None:
        if self.rank == 0:
            raise UsageError(
                "The filter shortest has no rank 0.",
                "Count from 1 for the shortest, or from -1 for the longest.",
            )

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        correct = sorted((one for one in judged if one.is_correct), key=lambda one: len(one.trace.think.split()))
        if not correct:
            return Drop("no correct trace")
        index = self.rank - 1 if self.rank > 0 else len(correct) + self.rank
        return [correct[min(max(index, 0), len(correct) - 1)]]

    def keeps_at_most(self, examples: int, traces: int) -> int:
        return examples


@dataclass(frozen=True)
class PerQuestion(TraceFilter):
    """Keeps the first traces of an example."""

    count: Annotated[int, Ge(1), Option("most traces per example")] = 1

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        return judged[: self.count] or Drop("no trace")

    def keeps_at_most(self, examples: int, traces: int) -> int:
        return examples * min(traces, self.count)


@dataclass(frozen=True)
class Unique(TraceFilter):
    """Keeps the first of the traces of an example that differ only in the spacing or case of reasoning and answer."""

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        first: dict[tuple[str, str], Judged] = {}
        for one in judged:
            first.setdefault((_plain(one.trace.think), _plain(one.trace.answer or "")), one)
        return list(first.values()) or Drop("no trace")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
