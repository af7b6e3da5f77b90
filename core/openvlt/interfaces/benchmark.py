"""What a model is asked to be scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from openvlt.interfaces.component import Component
from openvlt.interfaces.data import Source
from openvlt.records import Example, Format, Message, Verdict


class Benchmark(Component, ABC):
    """Questions, how they are asked, and the names of the verifiers that score the answers.

    Attributes:
        source: where the questions come from.
        split: which of its splits.
        scorings: scoring name to verifier name; the first is the headline.
        breakdown: metadata keys the score is broken down by.
        clusters: metadata key of the image or problem that questions share, empty if they are independent.
        accept_phrases: True if a reply without tag or box may say its answer in a phrase, or be nothing but the answer.
        excluded_from_score: metadata key to a value; questions with it are reported in the breakdown but not scored.
    """

    source: Source
    split: str
    scorings: Mapping[str, str]
    breakdown: tuple[str, ...] = ()
    clusters: str = ""
    accept_phrases: bool = False
    excluded_from_score: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def messages(self, example: Example, format: Format) -> list[Message]:
        """The chat turns that ask one question."""

    def base_messages(self, example: Example, format: Format) -> list[Message]:
        """The chat turns that ask a model that was never trained to answer in `format`; by default the same."""
        return self.messages(example, format)

    def baselines(self) -> Mapping[str, Callable[[Example], str]]:
        """Guessers without a model, by name, such as ``blind``: each gives the answer it would give to an example.

        They are scored like a model whose response is that answer, and are reported beside the models.
        """
        return {}

    def judge_extraction(self, example: Example, response: str) -> list[Message] | None:
        """The chat turns that ask a judge what answer a response gives; None if no judge is needed to tell."""
        return None

    def judge_score(self, example: Example, answer: str) -> list[Message] | None:
        """The chat turns that ask a judge to reply 1 if an answer is right, else 0; None if rules decide."""
        return None

    def choose(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Override to ask only some of the split's questions."""
        yield from examples

    def aggregate(self, rows: Sequence[tuple[Example, Verdict]]) -> Mapping[str, float]:
        """Further figures than the accuracy, by name."""
        return {}
