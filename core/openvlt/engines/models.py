"""Models on this machine: their folder, their size and the digest of their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from openvlt.engines.model_files import check_files
from openvlt.errors import UsageError
from openvlt.records import Model
from openvlt.store import (
    Home,
    digest,
    file_digest,
    model_digest,
    model_files,
    model_of_run,
    read_checked,
    write_checked,
)


def locate(model: Model, known: Mapping[str, Model], home: Home) -> Model:
    """Replace the name of one of the run's own models or of a packaged one by its folder; other ids are kept.

    Args:
        model: as a recipe names it.
        known: the run's own models by name, ``base`` and ``policy``.
        home: has the models of other runs (``run:NAME/STAGE``).

    Raises:
        UsageError: there is no such run or package, or the name is one of a run's own models and there is no run.
    """
    if model.url:
        return model
    packaged = packaged_models()
    own = model_of_run(home, model.id) if model.id.startswith("run:") else known.get(model.id)
    if own is not None:
        changes = {name: getattr(model, name) for name in ("backend", "pixels", "context") if getattr(model, name)}
        return replace(own, **changes, dtype=own.dtype if model.dtype == "auto" else model.dtype)
    if model.id in packaged:
        return replace(model, id=str(packaged[model.id]))
    if model.id.startswith("package:"):
        return replace(model, id=str(_in_package(model.id)))
    if model.id in ("base", "policy"):
        raise UsageError(
            f"The model '{model.id}' exists only within a run.",
            "Give a folder, a hub id or run:NAME/STAGE.",
        )
    return model


def _in_package(id: str) -> Path:
    """The file or folder of ``package:NAME/PATH``; the package is found without importing it."""
    package, _, path = id.removeprefix("package:").partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise UsageError(f"The model {id} is in the package '{package}', which is not installed.", "Install it.")
    return Path(spec.origin).parent / path


def packaged_models() -> dict[str, Path]:
    """The models that come with openvlt, by name."""
    folder = Path(str(files("openvlt_tasks"))) / "models"
    return {path.parent.name.replace("_", "-"): path.parent for path in sorted(folder.glob("*/config.json"))}


def size_in_bytes(model: Model) -> int | None:
    """Size of a local model's weights in bytes, None if the model is not on this machine."""
    path = Path(model.id)
    if path.is_file():
        return path.stat().st_size
    weights = list(path.glob("*.safetensors")) if path.is_dir() else []
    return sum(file.stat().st_size for file in weights) if weights else None


def content_digest(model: Model, home: Home) -> str:
    """Digest of a local model's files; of other models, of their id and revision.

    Raises:
        UsageError: a file of the model is damaged.
    """
    path = Path(model.id)
    if model.url or not path.exists():
        return digest("unseen", model.id, model.revision)
    check_files(path)
    return model_digest(file_digests(path, home))


def file_digests(model: Path, home: Home, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Digests of a local model's files by name, cached by their size and time.

    Args:
        model: folder or file.
        home: has the cache.
        known: digests by file name, for files that were hashed just now.
    """
    cache = home.root / "digests.json"
    try:
        digests = read_checked(cache)
    except (FileNotFoundError, ValueError):  # damaged: a wrong digest would make another model of this one
        digests = {}
    before, found = len(digests), dict[str, str]()
    for file in model_files(model):
        stat = file.stat()
        key = f"{file.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        digests[key] = found[file.name] = digests.get(key) or (known or {}).get(file.name) or file_digest(file)
    if len(digests) != before:
        write_checked(cache, digests)
    return found
