"""What a benchmark asks, and how it is scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from openvlt.extraction import Reading
from openvlt.interfaces.component import Component
from openvlt.interfaces.data import Source
from openvlt.records import Example, Format, Message, Verdict


class Benchmark(Component, ABC):
    """Questions, their prompts, and the verifiers that score the answers.

    Attributes:
        source: the questions.
        split: which of its splits.
        scorings: verifier, by name or as `{"use": name, option: value}`, by scoring; the first is the headline.
        breakdown: metadata keys to break the score down by.
        clusters: metadata key of the image or problem that questions share, empty if they are independent.
        reading: what counts as the answer where there is neither tag nor box: with ``phrase`` a stated or a bare
            answer, with ``anywhere`` also the last readable one in prose, with ``whole`` all of the response. With
            ``tag`` nothing, but all of the response of a model that was not trained to answer in the format.
        excluded_from_score: value by metadata key; matching questions are reported in the breakdown but not scored.
        contamination: known overlap with training sets.
    """

    source: Source
    split: str
    scorings: Mapping[str, str | Mapping[str, Any]]
    breakdown: tuple[str, ...] = ()
    clusters: str = ""
    reading: Reading = "tag"
    excluded_from_score: Mapping[str, str] = MappingProxyType({})
    contamination: str = ""

    spec_keys: ClassVar[tuple[str, ...]] = ("name", "data", "limit")

    @abstractmethod
    def messages(self, example: Example, format: Format) -> list[Message]:
        """The prompt of one question."""

    def base_messages(self, example: Example, format: Format) -> list[Message]:
        """The prompt for a model that was not trained to answer in `format`; by default the same."""
        return self.messages(example, format)

    def baselines(self) -> Mapping[str, Callable[[Example], str]]:
        """Guessers by name, such as ``blind``: each answers an example without a model and is scored like one."""
        return {}

    def judge_extraction(self, example: Example, response: str) -> list[Message] | None:
        """The prompt that asks a judge which answer a response gives; None if rules can extract it."""
        return None

    def judge_score(self, example: Example, answer: str) -> list[Message] | None:
        """The prompt that asks a judge to reply 1 if an answer is right, else 0; None if rules decide.

        The answer is the one that was extracted; without `judge_extraction` the response, less its reasoning.
        """
        return None

    def choose(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Override to ask only some of the split's questions."""
        yield from examples

    def aggregate(self, rows: Sequence[tuple[Example, Verdict]]) -> Mapping[str, float]:
        """Further figures beyond the accuracy, by name."""
        return {}
