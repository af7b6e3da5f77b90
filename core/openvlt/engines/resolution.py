"""From a model to the backend that can open it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openvlt.engines.backend_choice import choose_backend, first_installed
from openvlt.engines.models import content_digest, locate, size_in_bytes
from openvlt.errors import PluginError, UsageError
from openvlt.interfaces import Backend
from openvlt.records import Model
from openvlt.registry import Built, Registry, Spec
from openvlt.results import check_type
from openvlt.store import Home, digest


@dataclass(frozen=True, slots=True)
class Resolved:
    """A model that can be opened.

    Attributes:
        model: its id is a local folder, a hub id or a served id.
        digest: of its content, or of its id and revision if the content is not on this machine.
        backend: what it runs on.
        reason: why this backend, in half a sentence.
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
        """Digest of all that can change a response."""
        model = self.model
        return digest(self.digest, self.backend.identity, model.dtype, model.pixels, model.context)


def resolve(model: Model, known: Mapping[str, Model], registry: Registry, home: Home) -> Resolved:
    """Locate a model and choose its backend.

    Args:
        model: as a recipe names it.
        known: the run's own models by name, ``base`` and ``policy``.
        registry: builds the backend.
        home: has the models of other runs, and caches the digests of files.

    Raises:
        UsageError: the model does not exist here, or no plugin has a backend for it.
    """
    located = locate(model, known, home)
    built, reason = backend_of(located, registry)
    return Resolved(located, content_digest(located, home), built, reason)


def backend_of(located: Model, registry: Registry) -> tuple[Built[Backend], str]:
    """The backend that a located model runs on, and why, in half a sentence.

    Raises:
        PluginError, UsageError: there is no such backend, its options are wrong, or no plugin has one for the model.
    """
    spec: Spec
    if isinstance(located.backend, tuple):
        spec, reason = first_installed(located.backend, registry)
    elif located.backend:
        spec, reason = located.backend, "the recipe names it"
    else:
        spec, reason = choose_backend(located, size_in_bytes(located), registry)
    return registry.build(Backend, spec), reason


def is_known(located: Model, registry: Registry) -> bool:
    """Whether the backend of a located model answers for its id, so that neither a folder nor the hub is looked for.

    Raises:
        UsageError: the backend knows that the id is wrong.
    """
    if located.url:
        return False
    try:
        built, _ = backend_of(located, registry)
    except (PluginError, UsageError):  # told where the model is opened
        return False
    with built.guarded("knows"):
        return check_type(built.component.knows(located), bool, "True or False")
