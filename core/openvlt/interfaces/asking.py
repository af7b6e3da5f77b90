"""The part that all components share which ask a model about what they are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from openvlt.interfaces.component import Component
from openvlt.records import Completion, Message, Model, Sampling

S = TypeVar("S")
T = TypeVar("T")


class Asking(Component, ABC, Generic[S, T]):
    """Decides by asking a model. The core asks: it batches, retries, counts, and keeps each reply by its prompt.

    Both methods run in the calling process, so their work must be bounded, whatever a response or a reply contains.

    Attributes:
        model: the model to ask; in a training an endpoint serves it.
        step_seconds: how long a training step waits for replies. What has none by then has no score; a stage waits.
    """

    model: Model
    step_seconds: float = 120.0

    @property
    def sampling(self) -> Sampling:
        return Sampling(max_tokens=2048)

    @abstractmethod
    def messages(self, subject: S) -> Sequence[Message] | T:
        """The prompt, or the decision where the model need not be asked."""

    @abstractmethod
    def parse(self, completion: Completion, subject: S) -> T:
        """The decision that a reply contains; raise `Reject` if it contains none."""
