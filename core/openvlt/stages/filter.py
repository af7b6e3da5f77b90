"""Filter: example filters choose among loaded examples by their content and by facts about them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

from openvlt.errors import DataError, Reject as RejectRow, printable
from openvlt.interfaces import AskingExampleFilter, Drop, ExampleFilter, Facts, Keep, LookingExampleFilter
from openvlt.records import Example, Rejected, Row
from openvlt.registry import Built
from openvlt.results import check_decision, check_drop
from openvlt.stages.accepting import check_lost, decided, dropped, rejecting
from openvlt.stages.asker import Asker
from openvlt.stages.facts import FactFinder, Needed
from openvlt.stages.filling import READ_TOGETHER
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output, reused
from openvlt.store import StageWriter

Reject: TypeAlias = Callable[[Rejected], None]
"""Told of each example that a filter drops."""
_Decided: TypeAlias = tuple[Example, Keep | Drop | Rejected]
FEWEST_TOGETHER = 32
"""Examples that a model is asked about together, however few are wanted."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The example filters of a data block.

    Attributes:
        filters: in order.
        limit: the number of examples to keep; None for all.
        facts: that the filters need, by name.
    """

    filters: tuple[Built[ExampleFilter], ...]
    limit: int | None = None
    facts: Mapping[str, Needed] = field(default_factory=dict)

    @property
    def is_row_by_row(self) -> bool:
        """True if it is known that enough are kept before all examples are read."""
        return self.limit is not None and all(built.component.row_by_row for built in self.filters)


class Choosing:
    """Applies the filters of a choice to examples as they come; no model is asked any more once enough are kept.

    Args:
        workspace: of the run.
        choice: the filters.
        given: facts that need not be found.

    Attributes:
        replies: names of the folders of values that the choice is made of.
        lost: examples that a filter failed on so far.
    """

    def __init__(self, workspace: Workspace, choice: Choice, given: Facts) -> None:
        self.choice = choice
        self.lost = 0
        self._workspace = workspace
        self._asker = Asker(workspace)
        self._finder = FactFinder(workspace, choice.facts, given)
        asked = self._asker.identities(choice.filters)
        self.replies = [*asked, *self._finder.folders]
        filters = [built.identity for built in choice.filters]
        self.identity = (filters, asked, self._finder.identity, choice.limit)
        self._together = min(READ_TOGETHER, max(FEWEST_TOGETHER, choice.limit or READ_TOGETHER))
        self._out = 0

    def kept(self, examples: Iterator[Example], reject: Reject) -> Iterator[Example]:
        """Yield the examples that all filters keep, also beyond the limit.

        Those that a filter failed on are counted as lost.
        """
        unknown = set(self.choice.facts)
        for built in self.choice.filters:
            if needed := [name for name in needs(built) if name in unknown]:
                unknown -= {*needed}
                examples = self._known(needed, examples, reject)
            is_asking = isinstance(built.component, AskingExampleFilter)
            found = self._asked(built, examples, reject) if is_asking else self._decided(built, examples)
            examples = self._kept(built, found, reject)
        for example in examples:
            self._out += 1
            yield example

    def counts(self) -> dict[str, float]:
        """What was asked, and how many examples have each fact."""
        return {**self._asker.counts(), **self._finder.counts()}

    @property
    def faults(self) -> Mapping[str, int]:
        """How often facts failed, by what did; filters that fail reject their row."""
        return self._finder.faults

    def close(self) -> None:
        """Free the models that were asked."""
        self._asker.close()
        self._finder.close()

    def _some(self, examples: Iterator[Example], reject: Reject) -> Iterator[list[Example]]:
        """Yield many examples at once, and none beyond the limit."""
        while some := list(islice(examples, self._together)):
            if self.choice.limit is None or self._out < self.choice.limit:
                yield some
            else:
                for example in some:
                    reject(_beyond(example))

    def _known(self, needed: Sequence[str], examples: Iterator[Example], reject: Reject) -> Iterator[Example]:
        for some in self._some(examples, reject):
            self._finder.find(needed, some)
            yield from some

    def _asked(self, built: Built[Any], examples: Iterator[Example], reject: Reject) -> Iterator[_Decided]:
        for some in self._some(examples, reject):
            drops = self._asker.drops(built, some, lambda example: example.id)
            yield from ((example, drop or Keep(example)) for example, drop in zip(some, drops, strict=True))

    def _decided(self, built: Built[ExampleFilter], examples: Iterator[Example]) -> Iterator[_Decided]:
        component = built.component
        if isinstance(component, LookingExampleFilter):
            return self._looked(built, component, examples)

        def decide(rows: Iterator[Example]) -> Iterator[tuple[str, Keep | Drop]]:
            for found in component.decide(rows, self._finder.facts):
                decision = check_decision(found)
                if isinstance(decision, Keep):
                    yield decision.example.id, decision
                else:
                    yield decision[0].id, decision[1]

        return decided(self._workspace, built, "decide", examples, lambda example: example.id, decide)

    def _looked(
        self, built: Built[Any], component: LookingExampleFilter, examples: Iterator[Example]
    ) -> Iterator[_Decided]:
        for example in examples:
            try:
                with rejecting(self._workspace, built, "look", example.id):
                    drop = check_drop(component.look(example, self._finder.facts, self._workspace.images.read))
            except RejectRow as reject:
                yield example, dropped(example.id, reject)
            else:
                yield example, drop or Keep(example)

    def _kept(self, built: Built[ExampleFilter], decisions: Iterable[_Decided], reject: Reject) -> Iterator[Example]:
        """The examples that are kept; the others are rejected, and those that the filter failed on are lost."""
        for example, found in decisions:
            if isinstance(found, Keep):
                yield found.example
            elif isinstance(found, Rejected):
                self.lost += 1
                reject(found)
            else:
                reject(Rejected(id=example.id, reason=printable(f"{built.entry.name}: {found.reason}")))


def needs(built: Built[ExampleFilter]) -> Sequence[str]:
    """Names of the facts that a filter needs."""
    with built.guarded("needs"):
        names: str | Sequence[str] = built.component.needs
        return [names] if isinstance(names, str) else list(names)


def _beyond(example: Example) -> Rejected:
    return Rejected(id=example.id, reason="beyond the limit")


def filter_examples(workspace: Workspace, name: str, iteration: int, inputs: Output, choosing: Choosing) -> Output:
    """Apply example filters in order, then take the first ones up to the limit.

    Raises:
        DataError: the filters keep no example, or failed on too many.
    """
    started, limit = time.monotonic(), choosing.choice.limit
    step = Step("filter", name, iteration, (inputs.digest, choosing.identity))
    with claimed(workspace, step) as (folder, known):
        if known is not None:
            return reused(workspace, step, folder, known, started)
        workspace.progress.begin(step.name, inputs.record.out, "rows")
        writer = StageWriter(folder)
        try:
            for example in choosing.kept((row.example for row in inputs.rows()), writer.reject):
                if limit is not None and writer.out >= limit:
                    writer.reject(_beyond(example))
                    continue
                writer.row(Row(example=example))
                workspace.progress.advance(1)
        finally:
            writer.close()
            choosing.close()
        writer.faults.update(choosing.faults)
        check_lost(workspace, step, writer, choosing.lost, inputs.record.out)
        if not writer.out:
            reasons = "; ".join(f"{count} x {reason}" for reason, count in writer.rejected.most_common(3))
            raise DataError(
                f"Stage {step.name}: the filters keep no example ({reasons}).",
                "Loosen the filters in the recipe.",
            )
        counts = {"in": inputs.record.out, "counts": choosing.counts(), "replies": choosing.replies}
        return output(step, folder, writer.finish(counts), cached=False, started=started)
