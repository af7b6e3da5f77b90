"""The components that choose traces and examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from openvlt.interfaces.asking import Asking
from openvlt.interfaces.component import Component
from openvlt.interfaces.engine import ImageReader
from openvlt.interfaces.facts import Facts
from openvlt.records import Claim, Example, Judged


@dataclass(frozen=True, slots=True)
class Drop:
    """A filter's decision to drop an example, with a reason that can be counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """An example filter's decision to keep an example."""

    example: Example


class TraceFilter(Component, ABC):
    """Drops, rewrites or chooses among the traces of an example. It may rewrite the reasoning, never the answer.

    Attributes:
        keeps_incorrect: False if it drops every incorrect trace; a trainer that reads pairs cannot follow it.
    """

    keeps_incorrect: ClassVar[bool] = True

    @property
    def needs(self) -> tuple[str, ...]:
        """Names, as in the recipe, of the verifiers whose verdicts it requires."""
        return ()

    @abstractmethod
    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        """The traces to keep, in order, or `Drop` to drop the example."""

    def choose_all(
        self, rows: Iterable[tuple[Example, Sequence[Judged]]]
    ) -> Iterator[tuple[Example, Sequence[Judged] | Drop]]:
        """Override for a choice that depends on the whole set, such as stratifying it; one decision a row, in order."""
        for example, judged in rows:
            yield example, self.choose(example, judged)

    def keeps_at_most(self, examples: int, traces: int) -> int | None:
        """Traces that it keeps at most in all, for a plan; None if it has no such limit.

        Args:
            examples: their number at most.
            traces: of each at most.
        """
        return None


class ExampleFilter(Component, ABC):
    """Chooses the examples a stage works on.

    Attributes:
        row_by_row: True if a decision depends on no later example, and `decide` takes one after the other: with a limit
            no more examples are then read than it takes to keep enough.
    """

    row_by_row: ClassVar[bool] = False

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the facts it requires: those of the recipe, registered ones such as ``pass_rate``, and
        ``benchmark_images``, in which the digests of the images of all benchmarks have entries."""
        return ()

    @abstractmethod
    def decide(self, examples: Iterable[Example], facts: Facts) -> Iterator[Keep | tuple[Example, Drop]]:
        """Yield one decision per example, in order; ``facts["pass_rate"][example.id]`` is a fact about an example.

        What an example's facts are is known once it was taken from `examples`.
        """

    def keeps_at_most(self, values: Callable[[str], Collection[str] | None]) -> int | None:
        """Examples that it keeps at most, for a plan; None if it has no such limit.

        Args:
            values: that a key of the metadata, or ``source``, has in the data; None for a key if they are unknown.
        """
        return None


class LookingTraceFilter(TraceFilter):
    """Chooses among the traces of an example by the pixels of its images."""

    @abstractmethod
    def look(self, example: Example, judged: Sequence[Judged], read: ImageReader) -> Sequence[Judged] | Drop:
        """The traces to keep, in order, or `Drop`; `read` decodes an image, whose picture is not to be changed."""

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        """Not called: the core hands a reader to `look`."""
        raise NotImplementedError


class LookingExampleFilter(ExampleFilter):
    """Drops examples by the pixels of their images, one after the other."""

    row_by_row: ClassVar[bool] = True

    @abstractmethod
    def look(self, example: Example, facts: Facts, read: ImageReader) -> Drop | None:
        """Why to drop an example, None to keep it; `read` decodes an image, whose picture is not to be changed."""

    def decide(self, examples: Iterable[Example], facts: Facts) -> Iterator[Keep | tuple[Example, Drop]]:
        """Not called: the core hands a reader to `look`."""
        raise NotImplementedError


class AskingTraceFilter(Asking[Claim, Drop | None], TraceFilter):
    """Asks a model which traces to drop, of each as a claim; what has no usable reply is dropped too."""

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        """Not called: the core asks."""
        raise NotImplementedError


class AskingExampleFilter(Asking[Example, Drop | None], ExampleFilter):
    """Asks a model which examples to drop; what has no usable reply is dropped too."""

    row_by_row: ClassVar[bool] = True

    def decide(self, examples: Iterable[Example], facts: Facts) -> Iterator[Keep | tuple[Example, Drop]]:
        """Not called: the core asks."""
        raise NotImplementedError
