"""What is kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from openvlt.interfaces.component import Component
from openvlt.records import Example, Judged


@dataclass(frozen=True, slots=True)
class Drop:
    """A filter's decision to leave an example or its traces out, with a reason that can be counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """An example filter's decision to keep an example."""

    example: Example


class TraceFilter(Component, ABC):
    """Drops, rewrites or chooses among the traces of an example. It may rewrite think, never the answer.

    Attributes:
        keeps_incorrect: False if no incorrect trace passes it; a trainer that reads pairs cannot follow it.
    """

    keeps_incorrect: ClassVar[bool] = True

    @abstractmethod
    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        """The traces to keep, in order, or `Drop` to lose the example with a reason."""

    def choose_all(
        self, rows: Iterable[tuple[Example, Sequence[Judged]]]
    ) -> Iterator[tuple[Example, Sequence[Judged] | Drop]]:
        """Override for a choice that depends on the whole set, such as a balance; one decision a row, in order."""
        for example, judged in rows:
            yield example, self.choose(example, judged)


class ExampleFilter(Component, ABC):
    """Chooses the examples a stage works on.

    Attributes:
        needs: names of the facts it must be given: ``pass_rate`` (share of correct policy samples, by example id; the
            core samples the policy for it) or ``benchmark_images`` (digests of the images of all benchmarks).
    """

    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def decide(
        self, examples: Iterable[Example], facts: Mapping[str, Mapping[str, float]]
    ) -> Iterator[Keep | tuple[Example, Drop]]:
        """Yield one decision an example, in order; ``facts["pass_rate"][example.id]`` is a fact of an example."""
