"""Filter: example filters choose among loaded examples by their content and by facts about them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from openvlt.errors import DataError
from openvlt.interfaces import AskingExampleFilter, ExampleFilter
from openvlt.records import Example, Rejected, Row
from openvlt.registry import Built
from openvlt.stages.accepting import printable
from openvlt.stages.asker import Asker
from openvlt.stages.filling import READ_TOGETHER
from openvlt.stages.workspace import Output, Step, Workspace, claimed, output
from openvlt.store import StageWriter

Facts: TypeAlias = Mapping[str, Mapping[str, float]]
"""Fact to example id to value."""
Reject: TypeAlias = Callable[[Rejected], None]
"""Told of each example that a filter drops."""
FEWEST_TOGETHER = 32
"""Examples that a model is asked about together, however few are wanted."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The example filters of a data block, in order, and the number of examples to keep; None for all."""

    filters: tuple[Built[ExampleFilter], ...]
    limit: int | None = None

    @property
    def is_row_by_row(self) -> bool:
        """True if it is known that enough are kept before all examples are read."""
        return self.limit is not None and all(built.component.row_by_row for built in self.filters)


class Choosing:
    """Applies the filters of a choice to examples as they come. A filter asks about none once enough are kept."""

    def __init__(self, workspace: Workspace, choice: Choice, facts: Facts) -> None:
        self.choice = choice
        self.asker = Asker(workspace)
        self.replies = self.asker.identities(choice.filters)
        self.identity = ([*(built.identity for built in choice.filters), *self.replies], choice.limit, facts)
        self._facts = facts
        self._out = 0

    @property
    def is_full(self) -> bool:
        return self.choice.limit is not None and self._out >= self.choice.limit

    def kept(self, examples: Iterator[Example], reject: Reject) -> Iterator[Example]:
        """Yield the examples that all filters keep, also beyond the limit."""
        for built in self.choice.filters:
            is_asking = isinstance(built.component, AskingExampleFilter)
            examples = self._asked(built, examples, reject) if is_asking else self._decided(built, examples, reject)
        for example in examples:
            self._out += 1
            yield example

    def close(self) -> None:
        """Free the models that were asked."""
        self.asker.close()

    def _asked(self, built: Built[Any], examples: Iterator[Example], reject: Reject) -> Iterator[Example]:
        """Ask about many examples at once."""
        together = min(READ_TOGETHER, max(FEWEST_TOGETHER, self.choice.limit or READ_TOGETHER))
        while some := list(islice(examples, together)):
            drops = [None] * len(some) if self.is_full else self.asker.drops(built, some)
            for example, drop in zip(some, drops, strict=True):
                if drop is None:
                    yield example
                else:
                    reject(_dropped(built, example, drop.reason))

    def _decided(self, built: Built[ExampleFilter], examples: Iterator[Example], reject: Reject) -> Iterator[Example]:
        with built.guarded():
            for decision in built.component.decide(examples, self._facts):
                if isinstance(decision, tuple):
                    example, drop = decision
                    reject(_dropped(built, example, drop.reason))
                elif not isinstance(decision.example, Example):
                    raise TypeError(f"it kept {type(decision.example).__name__}, which is no example")
                else:
                    yield decision.example


def _dropped(built: Built[Any], example: Example, reason: str) -> Rejected:
    return Rejected(id=example.id, reason=printable(f"{built.entry.name}: {reason}"))


def filter_examples(workspace: Workspace, name: str, iteration: int, inputs: Output, choosing: Choosing) -> Output:
    """Apply example filters in order, then take the first ones up to the limit.

    Raises:
        DataError: the filters keep no example.
    """
    started, limit = time.monotonic(), choosing.choice.limit
    step = Step("filter", name, iteration, (inputs.digest, choosing.identity))
    with claimed(workspace, step) as (folder, known):
        if known is not None:
            return output(step, folder, known, cached=True, started=started)
        workspace.progress.begin(step.name, inputs.record.out, "rows")
        writer = StageWriter(folder)
        try:
            for example in choosing.kept((row.example for row in inputs.rows()), writer.reject):
                if limit is not None and writer.out >= limit:
                    writer.reject(Rejected(id=example.id, reason="beyond the limit"))
                    continue
                writer.row(Row(example=example))
                workspace.progress.advance(1)
        finally:
            writer.close()
            choosing.close()
        if not writer.out:
            reasons = "; ".join(f"{count} x {reason}" for reason, count in writer.rejected.most_common(3))
            raise DataError(
                f"Stage {step.name}: the filters keep no example ({reasons}).",
                "Loosen the filters in the recipe.",
            )
        counts = {"in": inputs.record.out, "counts": choosing.asker.counts(), "replies": choosing.replies}
        return output(step, folder, writer.finish(counts), cached=False, started=started)
