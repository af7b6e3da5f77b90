"""How often a model is right about an example."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from openvlt import Example, Option, SampledFact, Teacher


@dataclass(frozen=True)
class PassRate(SampledFact):
    """The share of correct chains among those of a teacher that the verifiers decide; by default of the policy."""

    teacher: Annotated[Teacher, Option("writes the chains, without captions")] = "policy"  # type: ignore[assignment]


@dataclass(frozen=True)
class TextOnlyPassRate(PassRate):
    """The same for the question alone: an example that is solved without its image teaches no looking."""

    def shown(self, example: Example) -> Example:
        return replace(example.in_words(), images=())
