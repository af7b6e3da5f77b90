"""The components that produce examples, captions and chains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from openvlt.interfaces.component import Component
from openvlt.interfaces.engine import ImageReader
from openvlt.interfaces.program import Program
from openvlt.records import Completion, Example, Image, Message, Model, Rejected, Sampling, Trace


class Source(Component, ABC):
    """Yields examples.

    Attributes:
        splits: its splits; none if they are not known, and any name is one.
        licence: the licence of the data.
        note: a remark on the data for readers of a score.
        is_local: True if its rows are read from this machine: the first are then looked at before any work.
    """

    splits: ClassVar[tuple[str, ...]] = ("train",)
    licence: ClassVar[str] = ""
    is_local: ClassVar[bool] = False
    note: str = ""

    @abstractmethod
    def examples(self, split: str) -> Iterator[Example | Rejected]:
        """Yield the split's examples in a fixed order; images are ``Image.file(path)`` or ``Image.data(content)``.

        Raises:
            DataError: the split cannot be read at all; a single bad row is yielded as `Rejected` instead.
        """

    def size(self, split: str) -> int | None:
        """Number of examples in the split; None if it is unknown before reading."""
        return None

    def published_size(self, split: str) -> int | None:
        """Number of examples in the split as published, of which local data may have fewer; None if unknown."""
        return self.size(split)

    def size_at_most(self, split: str) -> int | None:
        """Most examples that the split may have, for a plan; None if that is unknown before reading."""
        size = self.size(split)
        return self.published_size(split) if size is None else size

    def metadata_values(self, key: str) -> Collection[str] | None:
        """All values of a key of the examples' metadata; None if they are unknown before reading."""
        return None

    def id_of(self, row: Mapping[str, Any]) -> str:
        """The id of the example that a row with the data's columns is; empty if they do not tell."""
        return ""

    def understood(self, split: str, rows: int) -> Mapping[str, str]:
        """Where the fields of the first rows' examples come from, by field, the ``unused`` columns, and remarks."""
        return {}

    def revision(self) -> str:
        """A text that changes whenever the data changes: a release, a commit, a digest."""
        return ""


class Chat(Protocol):
    """Sends messages to a model of the component and blocks until it replies.

    Attributes:
        sample: index of the sample that is made, from 0.
        read: decodes an image; the picture is shared, so copy it before changing it.
    """

    @property
    def sample(self) -> int: ...

    @property
    def read(self) -> ImageReader: ...

    def __call__(self, messages: Sequence[Message], *, model: str = "model", **sampling: Any) -> Completion:
        """Ask `model`, the name of a field of type `Model`; `sampling` overrides the component's."""
        ...


class Captioner(Component, ABC):
    """Asks a model to describe images for a teacher that reads only text. It never sees the question.

    Attributes:
        model: is asked; `run` may also ask any other field of type `Model`.
    """

    model: Model

    @property
    def sampling(self) -> Sampling:
        return Sampling(max_tokens=1024)

    @abstractmethod
    def messages(self, images: Sequence[Image]) -> list[Message]:
        """The prompt for a caption of the images."""

    def parse(self, completion: Completion) -> str:
        """The caption; raise `Reject` if the reply contains none."""
        return completion.text.strip()

    def run(self, images: Sequence[Image], chat: Chat) -> str:
        """Override for anything but a single prompt; `chat` may be called any number of times."""
        return self.parse(chat(self.messages(images)))


class ProgramCaptioner(Program):
    """Makes captions without asking a model: a program that reads the images, or captions that the data has.

    Rows without a subject, and rows for which it finds nothing to say, have no caption; they are counted.
    """

    def subject(self, example: Example) -> Any:
        """What the caption is made of: JSON values and records. Equal subjects are captioned once; empty ones never."""
        return example.images

    @abstractmethod
    def open(self, read: ImageReader) -> AbstractContextManager[Callable[[Any], str | None]]:
        """Load what it needs; yields what makes the caption of a subject, None if there is nothing to say."""


class Teacher(Component, ABC):
    """Asks a model to write reasoning chains.

    Attributes:
        model: is asked; `run` may also ask any other field of type `Model`.
        uses_caption: False if it reads the images itself; then no caption is made.
    """

    model: Model
    uses_caption: ClassVar[bool] = True

    @property
    def sampling(self) -> Sampling:
        return Sampling(n=4, temperature=0.6, top_p=0.95)

    @property
    def samples(self) -> int:
        """Chains for each example."""
        return self.sampling.n

    @abstractmethod
    def messages(self, example: Example, caption: str | None) -> list[Message]:
        """The prompt for one chain; `caption` is None if `uses_caption` is False, or there are no images."""

    @abstractmethod
    def parse(self, completion: Completion) -> Trace:
        """Split the reply into think, explanation and answer; raise `Reject` if it is no trace."""

    def run(self, example: Example, caption: str | None, chat: Chat) -> Trace:
        """Override for tool use, refinement, several models or a look at the image; called once for each sample."""
        return self.parse(chat(self.messages(example, caption)))


class ProgramTeacher(Program):
    """Writes reasoning chains without asking a model: a solver, a template, a search.

    Attributes:
        samples: chains for each example.
        uses_caption: True if it reads captions; otherwise none are made.
    """

    samples: int = 1
    uses_caption: ClassVar[bool] = False

    @abstractmethod
    def open(self, read: ImageReader) -> AbstractContextManager[Callable[[Example, str | None, int], Trace | None]]:
        """Load what it needs; yields what writes a chain for an example, its caption and the index of the sample.

        None, and `Reject`, mean that there is no chain.
        """
