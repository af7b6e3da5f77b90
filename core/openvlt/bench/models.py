"""Which model a name means, and how that model was trained to answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from openvlt.engines import is_known, packaged_models
from openvlt.errors import UsageError
from openvlt.records import Format, Model
from openvlt.registry import Registry, Spec
from openvlt.store import Home, model_of_run, read_format, read_run


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model that a user names.

    Attributes:
        model: with a folder, a hub id or a served id for id.
        format: the format it answers in.
        trained: False if it was not trained in that format; it gets the benchmark's prompt for such models.
        max_tokens: the limit at which its run was scored, so that it gets the same score again; None if it has none.
    """

    model: Model
    format: Format
    trained: bool
    max_tokens: int | None = None


def find_model(
    home: Home, registry: Registry, name: str, backend: Spec | None, urls: tuple[str, ...], trained: bool | None
) -> NamedModel:
    """Find the model a user names.

    Args:
        home: the store.
        registry: has the backend.
        name: a local folder, a packaged model, a hub id, ``run:NAME/STAGE``, or the id that an endpoint or the backend
            knows.
        backend: the engine to run it on; None: that of the run, else the core chooses.
        urls: addresses of endpoints that serve it.
        trained: whether it was trained in the format; None: only models of runs were.

    Raises:
        UsageError: there is no such run, stage, folder or packaged model, or a model of a run is given endpoints.
    """
    if name.startswith("run:"):
        if urls:
            raise UsageError(
                f"--url has no effect with the model '{name}', because models of runs run here.",
                "Remove it, or give --model the id that the endpoint serves.",
            )
        return _of_run(home, name, backend, trained)
    path = Path(name)
    if not urls and not path.exists() and re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name) is None:
        known = packaged_models()
        if name not in known and not is_known(Model(id=name, backend=backend), registry):
            raise UsageError(
                f"The model '{name}' is neither a folder nor a hub id.",
                "Give a folder, ORG/NAME, run:NAME/STAGE, or --url of the endpoint that serves it. "
                f"openvlt comes with {', '.join(known) or 'none'}.",
            )
    if path.is_dir() and not (path / "config.json").is_file():
        raise UsageError(f"The folder '{name}' is no model: it has no config.json.", "Name the model's own folder.")
    id = str(path.resolve()) if path.is_dir() else name
    return NamedModel(Model(id=id, backend=backend, url=urls), Format(), bool(trained))


def _of_run(home: Home, name: str, backend: Spec | None, trained: bool | None) -> NamedModel:
    model = model_of_run(home, name)
    run, _, stage = name.removeprefix("run:").partition("/")
    model = replace(model, backend=backend or model.backend)
    is_trained = bool(trained) if stage == "base" else trained is not False
    limits = [used.max_tokens for score in read_run(home, run).scores if (used := score.protocol.decoding)]
    return NamedModel(model, read_format(home, run), is_trained, limits[-1] if limits else None)
