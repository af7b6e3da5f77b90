"""Where the engines of a run work: in this process, or as actors of a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from openvlt.errors import UsageError
from openvlt.interfaces import Engine
from openvlt.recipe import ExecutorSpec
from openvlt.store import ImageStore

if TYPE_CHECKING:
    from openvlt.stages.models import Resolved


class Executor(Protocol):
    """Opens models. The chunks of a stage, their keys and their order are the same wherever they are computed."""

    def parallel(self, model: Resolved) -> int:
        """Chunks that may be in flight at the same time.

        Raises:
            UsageError: there is not room for as many engines as were asked for.
        """
        ...

    def open(self, model: Resolved, images: ImageStore) -> AbstractContextManager[Engine]:
        """Open a model; leaving the context frees it."""
        ...


class Local:
    """One engine of each model, in this process."""

    def parallel(self, model: Resolved) -> int:
        return model.component.parallel * max(1, len(model.model.url))

    def open(self, model: Resolved, images: ImageStore) -> AbstractContextManager[Engine]:
        return model.component.open(model.model, images.read)


def make_executor(spec: ExecutorSpec, files: Sequence[Path] = ()) -> Executor:
    """The executor a recipe asks for.

    Args:
        spec: what the recipe says.
        files: one-file plugins, which an engine elsewhere needs too.

    Raises:
        UsageError: Ray is not installed.
    """
    if spec.use == "local":
        return Local()
    if find_spec("ray") is None:
        raise UsageError(
            "The recipe runs its models on Ray (executor), and the package ray is not installed.",
            "Add it (pip install 'openvlt[ray]'), or leave the key executor out.",
        )
    from openvlt.stages.ray import Ray

    return Ray(spec, tuple(files))
