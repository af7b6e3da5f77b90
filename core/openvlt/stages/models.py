"""From what a recipe calls a model to a folder, its content's digest, and the backend it runs on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from openvlt.errors import UsageError
from openvlt.interfaces import Backend
from openvlt.records import Model
from openvlt.registry import Built
from openvlt.stages.choice import choose_backend, first_installed
from openvlt.stages.workspace import Workspace
from openvlt.store import digest, file_digest, model_digest, write_atomically


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
    backend: Built
    reason: str

    @property
    def component(self) -> Backend:
        """The backend itself."""
        assert isinstance(self.backend.component, Backend)
        return self.backend.component

    @property
    def identity(self) -> str:
        """All of it that can change a reply."""
        model = self.model
        return digest(self.digest, self.backend.identity, model.dtype, model.pixels, model.context)


def locate(model: Model, workspace: Workspace) -> Model:
    """Replace a name of the run's own or of a packaged model by its folder; other ids stay, and so do served ones."""
    if model.url:
        return model
    packaged = packaged_models()
    if (known := workspace.models.get(model.id)) is not None:
        asked = {name: getattr(model, name) for name in ("backend", "pixels", "context") if getattr(model, name)}
        return replace(known, **asked, dtype=known.dtype if model.dtype == "auto" else model.dtype)
    if model.id in packaged:
        return replace(model, id=str(packaged[model.id]))
    if model.id.startswith("package:"):
        return replace(model, id=str(_in_package(model.id)))
    if model.id in ("base", "policy"):
        raise UsageError(
            f"The model '{model.id}' is one a training run leads to, and there is none here.",
            "Give a folder, a hub id or run:NAME/STAGE.",
        )
    return model


def _in_package(id: str) -> Path:
    """The file or folder that ``package:NAME/PATH`` stands for; the package is found, not imported."""
    package, _, path = id.removeprefix("package:").partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise UsageError(f"The model {id} lies in the package '{package}', which is not installed.", "Install it.")
    return Path(spec.origin).parent / path


def packaged_models() -> dict[str, Path]:
    """The models that come with openvlt, by name."""
    folder = Path(str(files("openvlt_tasks"))) / "models"
    return {path.parent.name.replace("_", "-"): path.parent for path in sorted(folder.glob("*/config.json"))}


def resolve(model: Model, workspace: Workspace) -> Resolved:
    """Find out what a model is, and what it runs on.

    Raises:
        UsageError: the id is a name or path that leads nowhere.
    """
    located = locate(model, workspace)
    spec: str | Mapping[str, Any]
    if isinstance(located.backend, tuple):
        spec, reason = first_installed(located.backend, workspace.registry)
    elif located.backend:
        spec, reason = located.backend, "it was asked for"
    else:
        installed = {name for name in ("vllm",) if find_spec(name)}
        spec, reason = choose_backend(located, installed, size_in_bytes(located))
    backend = workspace.registry.build("backend", spec)
    return Resolved(located, content_digest(located, workspace), backend, reason)


def size_in_bytes(model: Model) -> int | None:
    """Size of a local model's weights, or None if the model is not here."""
    path = Path(model.id)
    if path.is_file():
        return path.stat().st_size
    weights = list(path.glob("*.safetensors")) if path.is_dir() else []
    return sum(file.stat().st_size for file in weights) if weights else None


def content_digest(model: Model, workspace: Workspace) -> str:
    """Digest of a local model's files, remembered by their size and time; else of the id and the revision."""
    path = Path(model.id)
    if model.url or not path.exists():
        return digest("unseen", model.id, model.revision)
    memory = workspace.home.root / "digests.json"
    try:
        known: dict[str, str] = json.loads(memory.read_bytes())
    except (FileNotFoundError, ValueError):
        known = {}
    before = len(known)

    def remembered(file: Path) -> str:
        stat = file.stat()
        mark = f"{file.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        known[mark] = known.get(mark) or file_digest(file)
        return known[mark]

    found = model_digest(path, remembered)
    if len(known) != before:
        write_atomically(memory, json.dumps(known).encode())
    return found
