"""The components that run models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from openvlt.interfaces.component import Component
from openvlt.interfaces.memory import Memory, Workload
from openvlt.records import Completion, Image, Message, Model, ModelShape, Rejected, Sampling

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt for a backend.

    Attributes:
        messages: the prompt.
        key: hex digest of the prompt; seeds derive from it, so that a sample never depends on its neighbours.
        samples: indices of the wanted samples, at least one.
    """

    messages: tuple[Message, ...]
    key: str
    samples: tuple[int, ...] = (0,)


class ImageReader(Protocol):
    """Decodes an image of the store."""

    def __call__(self, image: Image) -> Picture: ...


class Engine(Protocol):
    """An open model."""

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Sequence[Sequence[Completion] | Rejected]:
        """Answer the requests in order, with one completion per wanted sample; a request that cannot be answered is
        `Rejected` (permanent: its prompt is too long; transient: the endpoint is down)."""
        ...


@runtime_checkable
class CountingEngine(Engine, Protocol):
    """An engine with counts of its own, shown with the progress."""

    def counts(self) -> Mapping[str, float]:
        """Counts by name, such as ``in flight`` and ``retried``."""
        ...


DefaultFor: TypeAlias = Literal["endpoints", "large", "any"]
"""Models with a URL; local models with 2 GB of weights or more, or of unknown size; any local model."""


class Backend(Component, ABC):
    """An inference engine.

    Attributes:
        default_for: the models it runs if a recipe names no backend; None if it must be named. Of several backends for
            the same models the one registered first is chosen, built-ins before others.
        capabilities: of ``images``, ``samples`` (several per prompt at the cost of one prefill), ``seeds``.
        deterministic: True if equal requests give equal bytes, whatever else is in their chunk or came before.
        chunk: number of requests per call of `generate`, stored together; with 1, every sample is a request of its own.
        parallel: chunks in flight at the same time, each from its own thread; per URL, if a model has several.
    """

    default_for: ClassVar[DefaultFor | None] = None
    capabilities: ClassVar[frozenset[str]] = frozenset()
    deterministic: ClassVar[bool] = False
    chunk: ClassVar[int] = 64

    @property
    def parallel(self) -> int:
        return 1

    def knows(self, model: Model) -> bool:
        """True if the model's id is one of the backend's own, so that neither a folder nor the hub is looked for.

        Args:
            model: that a recipe or a command runs on it, without a URL.

        Raises:
            UsageError: the id is wrong; the message says which are right.
        """
        return False

    def check(self, config: Mapping[str, Any]) -> None:
        """Refuse a model before any work, by what its ``config.json`` says.

        Raises:
            UsageError: the backend cannot run it; the message says which can.
        """

    def gpu_memory(self, shape: ModelShape, work: Workload) -> Memory | None:
        """What the engine of a model holds on each GPU that it uses at its fullest; None if unknown."""
        return None

    def hours(self, shape: ModelShape, work: Workload, prompts: int, samples: int) -> float | None:
        """About how long it takes to answer prompts on the GPUs, from a throughput that the backend documents.

        Args:
            shape: of the model.
            work: the lengths of a prompt and of the longest reply, and the GPUs.
            prompts: their number.
            samples: replies to each.

        Returns:
            None if unknown; a plan then says that it is not estimated.
        """
        return None

    def savings(self) -> Sequence[Mapping[str, Any]]:
        """Changes of options that need less memory, from the least intrusive; a plan that does not fit names them."""
        return ()

    @abstractmethod
    def open(self, model: Model, read: ImageReader) -> AbstractContextManager[Engine]:
        """Load the model; leaving the context frees it.

        Args:
            model: what to load; its id is a hub id, a local folder or the id an endpoint serves.
            read: decodes an image of a request.
        """
