"""Where examples, captions and chains come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Protocol

from openvlt.interfaces.component import Component
from openvlt.records import Completion, Example, Image, Message, Model, Rejected, Sampling, Trace


class Source(Component, ABC):
    """Yields examples.

    Attributes:
        splits: the splits it has.
        licence: the licence of the data.
    """

    splits: ClassVar[tuple[str, ...]] = ("train",)
    licence: ClassVar[str] = ""

    @abstractmethod
    def examples(self, split: str) -> Iterator[Example | Rejected]:
        """Yield the split's examples in a fixed order; images are ``Image.file(path)`` or ``Image.data(content)``.

        Raises:
            DataError: the split cannot be read at all; a single bad row is yielded as `Rejected` instead.
        """

    def size(self, split: str) -> int | None:
        """How many examples the split has, or None if only reading it tells."""
        return None

    def revision(self) -> str:
        """What changes when the data changes: a release, a commit, a digest."""
        return ""


class Chat(Protocol):
    """Asks the component's model once and blocks until it has answered."""

    def __call__(self, messages: Sequence[Message], **sampling: Any) -> Completion: ...


class Captioner(Component, ABC):
    """Turns images into text that lets a text-only teacher know what they show. It never sees the question."""

    model: Model

    @property
    def sampling(self) -> Sampling:
        return Sampling(max_tokens=1024)

    @abstractmethod
    def messages(self, images: Sequence[Image]) -> list[Message]:
        """The chat turns that ask for a caption of the images."""

    def parse(self, completion: Completion) -> str:
        """The caption; raise `Reject` if the reply is none."""
        return completion.text.strip()

    def run(self, images: Sequence[Image], chat: Chat) -> str:
        """Override for anything that is not one prompt; `chat` may be called any number of times."""
        return self.parse(chat(self.messages(images)))


class Teacher(Component, ABC):
    """Writes reasoning chains.

    Attributes:
        uses_caption: False if it looks at the images itself; then no caption is made for it.
    """

    model: Model
    uses_caption: ClassVar[bool] = True

    @property
    def sampling(self) -> Sampling:
        return Sampling(n=4, temperature=0.6, top_p=0.95)

    @abstractmethod
    def messages(self, example: Example, caption: str | None) -> list[Message]:
        """The chat turns that ask for one chain; `caption` is None if `uses_caption` is False."""

    @abstractmethod
    def parse(self, completion: Completion) -> Trace:
        """Split the reply into think, explanation and answer; raise `Reject` if it cannot be a trace."""

    def run(self, example: Example, caption: str | None, chat: Chat) -> Trace:
        """Override for tool use or refinement; called once for each sample."""
        return self.parse(chat(self.messages(example, caption)))
