"""A source that makes its questions up."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from openvlt import Example, Option, Rejected, Source


@dataclass(frozen=True)
class Sums(Source):
    """Asks for the sum of two small numbers."""

    largest: Annotated[int, Ge(0), Option("largest number to add")] = 9

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        for a in range(self.largest + 1):
            for b in range(self.largest + 1):
                yield Example(id=f"{a}+{b}", question=f"What is {a} + {b}?", answer=str(a + b), answer_type="integer")
