"""Filters that use facts which the core determines about the examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Interval

from openvlt import Drop, Example, ExampleFilter, Facts, Keep, Option, UsageError


@dataclass(frozen=True)
class PassRate(ExampleFilter):
    """Keeps examples GRPO can learn from: if all rewards of a group are equal, their advantages are zero."""

    low: Annotated[float, Interval(ge=0, le=1), Option("lowest share of correct policy samples kept")] = 0.1
    high: Annotated[float, Interval(ge=0, le=1), Option("highest share of correct policy samples kept")] = 0.9

    fact: Annotated[str, Option("the fact that tells the share, or any other from 0 to 1")] = "pass_rate"

    row_by_row: ClassVar[bool] = True

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.fact,)

    def decide(self, examples: Iterable[Example], facts: Facts) -> Iterator[Keep | tuple[Example, Drop]]:
        rates = _fact(facts, self.fact, "pass-rate")
        for example in examples:
            rate = rates.get(example.id)
            if not isinstance(rate, int | float):
                yield (
                    example,
                    Drop(f"its {self.fact.replace('_', ' ')} is {'unknown' if rate is None else 'no number'}"),
                )
            elif rate < self.low:
                yield example, Drop("too hard")
            elif rate > self.high:
                yield example, Drop("too easy")
            else:
                yield Keep(example)


@dataclass(frozen=True)
class Contamination(ExampleFilter):
    """Drops examples that share an image, byte for byte, with a benchmark."""

    needs: ClassVar[tuple[str, ...]] = ("benchmark_images",)
    row_by_row: ClassVar[bool] = True

    def decide(self, examples: Iterable[Example], facts: Facts) -> Iterator[Keep | tuple[Example, Drop]]:
        known = _fact(facts, "benchmark_images", "contamination")
        for example in examples:
            shared = any(image.sha256 in known for image in example.images)
            yield (example, Drop("image is in a benchmark")) if shared else Keep(example)


def _fact(facts: Facts, name: str, filter: str) -> Mapping[str, Any]:
    if name not in facts:
        raise UsageError(
            f"The filter {filter} needs the fact '{name}', which is not available here.", "Use the filter in a recipe."
        )
    return facts[name]
