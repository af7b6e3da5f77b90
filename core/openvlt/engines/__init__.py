"""Where a model is, which backend runs it, and where its engine runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from openvlt.engines.executor import Executor, Local
from openvlt.engines.model_files import check_files
from openvlt.engines.model_shapes import check_pixels, image_limit, model_file, model_shape
from openvlt.engines.models import content_digest, file_digests, locate, packaged_models, size_in_bytes
from openvlt.engines.resolution import Resolved, backend_of, is_known, resolve
from openvlt.errors import UsageError
from openvlt.recipe import ExecutorSpec

__all__ = [
    "Executor",
    "Local",
    "Resolved",
    "backend_of",
    "check_files",
    "check_pixels",
    "content_digest",
    "file_digests",
    "image_limit",
    "is_known",
    "locate",
    "make_executor",
    "model_file",
    "model_shape",
    "packaged_models",
    "resolve",
    "size_in_bytes",
]


def make_executor(spec: ExecutorSpec, files: Sequence[Path] = ()) -> Executor:
    """The executor a recipe asks for.

    Args:
        spec: the key ``executor`` of the recipe.
        files: one-file plugins, which engines in other processes load too.

    Raises:
        UsageError: Ray is not installed.
    """
    if spec.use == "local":
        return Local()
    if find_spec("ray") is None:
        raise UsageError(
            "The recipe runs its models on Ray (executor), but the package ray is not installed.",
            "Install it (pip install 'openvlt[ray]'), or remove the key executor.",
        )
    from openvlt.engines.ray import Ray

    return Ray(spec, tuple(files))
