"""From a model to the backend that can open it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openvlt.engines.backend_choice import choose_backend, first_installed
from openvlt.engines.models import content_digest, locate, size_in_bytes
from openvlt.interfaces import Backend
from openvlt.records import Model
from openvlt.registry import Built, Registry, Spec
from openvlt.store import Home, digest


@dataclass(frozen=True, slots=True)
class Resolved:
    """A model that can be opened.

    Attributes:
        model: with a local folder, a hub id or a served id for id.
        digest: of its content; of its name and revision where the content cannot be seen.
        backend: the engine it runs on.
        reason: why that one.
    """

    model: Model
    digest: str
    backend: Built[Backend]
    reason: str

    @property
    def component(self) -> Backend:
        """The backend itself."""
        return self.backend.component

    @property
    def identity(self) -> str:
        """All of it that can change a reply."""
        model = self.model
        return digest(self.digest, self.backend.identity, model.dtype, model.pixels, model.context)


def resolve(model: Model, known: Mapping[str, Model], registry: Registry, home: Home) -> Resolved:
    """Find out what a model is, and what it runs on.

    Args:
        model: what a recipe names.
        known: the run's own models by name, ``base`` and ``policy``.
        registry: builds the backend.
        home: remembers digests of files.

    Raises:
        UsageError: the id is a name or path that leads nowhere.
    """
    located = locate(model, known)
    spec: Spec
    if isinstance(located.backend, tuple):
        spec, reason = first_installed(located.backend, registry)
    elif located.backend:
        spec, reason = located.backend, "it was asked for"
    else:
        spec, reason = choose_backend(located, size_in_bytes(located), registry)
    return Resolved(located, content_digest(located, home), registry.build(Backend, spec), reason)
