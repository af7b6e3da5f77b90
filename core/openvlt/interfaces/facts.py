"""The components that tell facts: a value for each example, which filters ask for by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from openvlt.interfaces.asking import Asking
from openvlt.interfaces.component import Component
from openvlt.interfaces.data import Teacher
from openvlt.interfaces.engine import ImageReader
from openvlt.interfaces.program import Program
from openvlt.records import Example, Judged

FactValue: TypeAlias = bool | int | float | str
"""The value of a fact; numbers are finite."""
Facts: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What is known of examples: ``facts["pass_rate"][example.id]``. Examples without a value have no entry."""


class Fact(Component):
    """Tells a value of each example: computed once, when a filter first needs it, and kept.

    It is one of `ProgramFact`, `AskingFact` and `SampledFact`. Where a method raises `Reject`, or returns None, the
    example has no value.
    """


class ProgramFact(Program, Fact):
    """Computes the value of an example, such as a hash of its images. Override `open` to load something once."""

    def value(self, example: Example, read: ImageReader) -> FactValue | None:
        """The value of an example; `read` decodes its images, whose pictures are not to be changed."""
        raise NotImplementedError

    @contextmanager
    def open(self, read: ImageReader) -> Iterator[Callable[[Example], FactValue | None]]:
        yield lambda example: self.value(example, read)


class AskingFact(Asking[Example, FactValue | None], Fact):
    """Asks a model about each example, once."""


class SampledFact(Fact):
    """Rates the chains that a teacher samples for an example, as the recipe's verifiers judge them.

    Attributes:
        teacher: writes the chains; it gets no captions.
    """

    teacher: Teacher

    def shown(self, example: Example) -> Example:
        """What the teacher sees of an example; override to hide a part."""
        return example

    def rate(self, example: Example, judged: Sequence[Judged]) -> FactValue | None:
        """The value, by default the share of correct chains among those decided."""
        correct = sum(each.is_correct for each in judged)
        decided = correct + sum(each.is_incorrect for each in judged)
        return correct / decided if decided else None
