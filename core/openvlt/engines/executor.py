"""Where the engines of a run are: in this process, or in actors of a Ray cluster."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from openvlt.engines.resolution import Resolved
from openvlt.interfaces import Engine
from openvlt.store import ImageStore


class Executor(Protocol):
    """Opens models. The chunks of a stage and their keys do not depend on the executor."""

    @property
    def joins(self) -> str:
        """The cluster of other machines that it sends models and data to; empty if it stays on this machine."""
        ...

    def parallel(self, model: Resolved) -> int:
        """Number of chunks that may be in flight at the same time.

        Raises:
            UsageError: there is no room for the engines that the recipe asks for.
        """
        ...

    def open(self, model: Resolved, images: ImageStore) -> AbstractContextManager[Engine]:
        """Open a model; leaving the context frees it."""
        ...


class Local:
    """One engine of each model, in this process."""

    joins = ""

    def parallel(self, model: Resolved) -> int:
        return model.component.parallel * max(1, len(model.model.url))

    def open(self, model: Resolved, images: ImageStore) -> AbstractContextManager[Engine]:
        return model.component.open(model.model, images.read)
