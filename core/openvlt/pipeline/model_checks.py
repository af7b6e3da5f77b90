"""Before any work: can a model of the recipe run here at all, and how much memory does it need?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from openvlt import system
from openvlt.engines import (
    Local,
    backend_of,
    check_files,
    check_pixels,
    is_known,
    model_file,
    model_shape,
    size_in_bytes,
)
from openvlt.engines.backend_choice import first_installed
from openvlt.errors import PluginError, UsageError
from openvlt.interfaces import Backend
from openvlt.keys import endpoint_key, key_names
from openvlt.pipeline.hours import Hours, estimated
from openvlt.pipeline.memory_plan import DoesNotFit, Need, gigabytes, gpus_here, need, workload
from openvlt.pipeline.stage import Description
from openvlt.recipe import Recipe
from openvlt.records import Model
from openvlt.registry import Built, Spec
from openvlt.registry.guard import answer
from openvlt.results import check_hours
from openvlt.stages.asker import check_served, models_asked
from openvlt.stages.workspace import Workspace

OVERHEAD = 1.2
"""Memory of a running model over that of its weights, where no more is known of it (a rule of thumb)."""
LARGEST_ON_CPU = 4e9
"""Parameters beyond which a model without a GPU is too slow to be of any use."""

REPLY = 2048
"""Tokens of the longest reply, where a stage does not say (the default of `Sampling`)."""

_NO_MODEL = "Give a folder that exists, or an id such as Qwen/Qwen2.5-VL-3B-Instruct."
OWN = ("base", "policy", "previous")
"""Models of a run by name."""
_PARAMETERS = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)


def check_packages(recipe: Recipe) -> None:
    """Refuse a recipe whose packages are not installed, all of them at once.

    Raises:
        UsageError: which are missing, and the commands that add them.
    """
    missing = {name: command for name, command in recipe.requires.items() if find_spec(name) is None}
    if missing:
        raise UsageError(
            f"The recipe {recipe.name} needs packages that are not installed: {', '.join(missing)}.",
            f"Add them with: {' && '.join(dict.fromkeys(missing.values()))}",
        )


def describe_model(
    component: str,
    rows: int | None,
    model: Model,
    workspace: Workspace,
    reply: int = REPLY,
    samples: int = 0,
    key: str = "",
) -> Description:
    """What a plan shows of a stage that runs a model; a policy needs the memory of the base.

    Args:
        component: that carries it out.
        rows: their maximum number.
        model: that runs.
        workspace: finds it.
        reply: tokens of its longest reply.
        samples: replies to the one prompt of each row; 0 where what it is asked is not known beforehand.
        key: of the recipe that names the model, for ``--set``; empty for the base.
    """
    located = workspace.locate(replace(model, id="base") if model.id == "policy" else model)
    if located.url:
        served = f"{model.id} at {key_names(located.url)}"
        return Description(component, rows, served, note=_served(workspace, located, served, reply))
    shown = model.id.rsplit("/site-packages/", 1)[-1]
    who = f"The model {'base' if model.id == 'policy' else shown}"
    found, hours = _engine_need(workspace, located, reply), _hours(workspace, located, rows, reply, samples)
    built = _backend(workspace, located) if hours else None
    backend = built.entry.name if built else ""
    if found is None:
        gpus = workspace.gpus or gpus_here()
        memory = None if is_known(located, workspace.registry) else _weights(located)
        too_large = memory is not None and gpus.count and memory > gpus.count * gpus.size
        problem = DoesNotFit.of(who, f"about {_gb(memory or 0)}", gpus) if too_large else None
        note = _guessed(workspace, located)
        return Description(component, rows, shown, memory, {}, problem, hours, backend, note)
    problem = None if found.fits else found.problem(who, _settings(workspace, model, key))
    return Description(component, rows, shown, found.total, found.terms, problem, hours, backend)


def _guessed(workspace: Workspace, located: Model) -> str:
    """Why the memory of a model is a guess by its size and its hours are unknown, where its backend is not here."""
    try:
        backend_of(located, workspace.registry)
    except (PluginError, UsageError) as error:
        return f"Its memory is a guess by the model's size, and its speed is unknown. {error.problem}"
    return ""


def _served(workspace: Workspace, located: Model, served: str, reply: int) -> str:
    """What a model needs of GPUs that others run; empty if its size is unknown."""
    shape = model_shape(replace(located, url=()))
    work = workload(located, shape, reply, workspace.gpus or gpus_here())
    if not shape:
        return ""
    cache = 2 * (work.prompt + work.reply) * shape.kv_width
    return (
        f"{served} runs on GPUs of its own, which hold {gigabytes(2 * shape.parameters)} GB of weights (bf16) and "
        f"{gigabytes(cache)} GB of keys and values for each of the longest replies."
    )


def _engine_need(workspace: Workspace, located: Model, reply: int) -> Need | None:
    """What the backend of a model says that it needs; None if nothing is known."""
    shape, built = model_shape(located), _backend(workspace, located)
    work = workload(located, shape, reply, workspace.gpus or gpus_here())
    return None if built is None else need(built.component, shape, work)


def _settings(workspace: Workspace, model: Model, key: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """The keys of a recipe that change options of a model's backend; the model is written in full, as a component's
    default is nowhere in the recipe."""

    def settings(change: Mapping[str, Any]) -> Mapping[str, Any]:
        located = workspace.locate(replace(model, id="base") if model.id == "policy" else model)
        spec = located.backend
        if isinstance(spec, tuple):
            spec = first_installed(spec, workspace.registry)[0]
        named = spec or backend_of(located, workspace.registry)[0].entry.name
        backend = {**({"use": named} if isinstance(named, str) else named), **change}
        if not key:
            return {"base.backend": backend}
        own = {each.name: getattr(model, each.name) for each in fields(model)}
        return {
            key: {name: value for name, value in own.items() if value not in (None, (), "auto")} | {"backend": backend}
        }

    return settings


def _hours(workspace: Workspace, located: Model, rows: int | None, reply: int, samples: int) -> Hours | None:
    """How long the backend of a model says that it takes; on Ray nobody knows with how many engines."""
    shape, built = model_shape(located), _backend(workspace, located)
    if not (samples and shape and built and isinstance(workspace.executor, Local)):
        return None
    backend, work = built.component, workload(located, shape, reply, workspace.gpus or gpus_here())
    return estimated(lambda prompts: answer(backend, "hours", check_hours, shape, work, prompts, samples), rows)


def _backend(workspace: Workspace, located: Model) -> Built[Backend] | None:
    """What a model runs on; None for a mistake that is reported elsewhere."""
    try:
        return backend_of(located, workspace.registry)[0]
    except (PluginError, UsageError):
        return None


def _check_architecture(workspace: Workspace, located: Model) -> None:
    """Refuse a model that its backend says it cannot run; of a policy, the base has the same architecture."""
    if not located.url and (config := model_file(located)) and (built := _backend(workspace, located)):
        with built.guarded("check"):
            built.component.check(config)


def _weights(located: Model) -> float | None:
    size = size_in_bytes(located)
    if size is None and (count := parameters(located.id)) is not None:
        size = int(count * (4 if located.dtype == "float32" else 2))
    return None if size is None else size * OVERHEAD


def describe_asked(stage: Description, models: Mapping[str, Model], workspace: Workspace) -> Description:
    """What a plan shows of a stage, with the models that its components ask, by the recipe's key of each."""
    asked = [describe_model("", None, model, workspace, key=key) for key, model in models.items()]
    shown = dict.fromkeys(each.model for each in (stage, *asked) if each.model)
    memory = [each.memory for each in (stage, *asked) if each.memory is not None]
    problem = next((each.problem for each in (stage, *asked) if each.problem), None)
    note = " ".join(dict.fromkeys(each.note for each in (stage, *asked) if each.note))
    return replace(stage, model="; ".join(shown), memory=max(memory, default=None), problem=problem, note=note)


def check_asked(workspace: Workspace, built: Built[Any], key: str, *, in_step: bool = False) -> None:
    """Refuse a model that a component asks if it cannot run here, or, in a training, if no endpoint serves it.

    Args:
        workspace: finds the model.
        built: the component; most ask none.
        key: of the recipe that names the model, for ``--set``.
        in_step: True for a training.

    Raises:
        UsageError: what the model needs, and what to do instead.
    """
    who = f"{built.entry.kind} {built.entry.name}"
    for model in models_asked([built]):
        if in_step:
            check_served(model, who, key)
        check_model(workspace, model, who, key)


def check_model(workspace: Workspace, model: Model, who: str, key: str, reply: int | None = REPLY) -> None:
    """Refuse a model that cannot run here; a served model is its server's concern, but for its address and key.

    Args:
        workspace: finds the model.
        model: what is asked or trained; a ``policy`` has the size of the base, which has a check of its own.
        who: asks it, for messages: ``teacher r1-distill``.
        key: of the recipe that names the model, for ``--set``.
        reply: tokens of its longest reply; None for a model that is trained, whose trainer tells what it needs.

    Raises:
        UsageError: what the model needs, and what to do instead.
        PluginError: there is no such backend.
    """
    if model.id == "policy":
        _check_architecture(workspace, workspace.locate(replace(model, id="base")))
        return
    located, settings = workspace.locate(model), _settings(workspace, model, key)
    for url in located.url:
        endpoint_key(url, who.partition(" ")[0])
    if model.id == "base":
        who, key = "base", ""
    _check_backends(workspace, located, who)
    if located.url or (reply is not None and is_known(located, workspace.registry)):  # what is trained needs its files
        return
    here = _is_here(located, who)
    check_pixels(located)
    if reply is not None:
        _check_architecture(workspace, located)
    smaller = f"--set {key}=HUB_ID" if key else "--base FOLDER_OR_HUB_ID"
    role = who.partition(" ")[0]
    address = "http://HOST:8000/v1"
    switch = f"--{role}-url {address}" if role in ("captioner", "teacher") else f"--set {key}.url=[{address}]"
    served = f", one that is served ({switch})" if key.endswith(".model") else ""
    remedy = f"Use a smaller model ({smaller}){served}, or look at the whole plan first (--plan)."
    if reply is not None:
        _check_memory(workspace, located, who, reply, remedy, settings)
    if here or downloaded(located):
        return
    if not reachable():
        raise UsageError(
            f"The {who} runs {located.id}, which is no folder here and not in the hub's cache, and the model hub "
            "cannot be reached.",
            f"Give a folder that exists ({smaller.partition('=')[0]}){served}, or download it first.",
        )
    if not on_hub(located):
        at = f" at revision {located.revision}" if located.revision else ""
        raise UsageError(
            f"The {who} runs {located.id}{at}, which is no folder here and no model of the hub that may be read.",
            f"Give another ({smaller.partition('=')[0]}){served}, or set HF_TOKEN if it is private or gated.",
        )


def _check_memory(
    workspace: Workspace,
    located: Model,
    who: str,
    reply: int,
    remedy: str,
    settings: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> None:
    """Refuse a model that the GPUs cannot hold, or that is too large for a machine without one."""
    gpus, ram, rough = workspace.gpus or gpus_here(), system.memory(), _weights(located) or 0
    if gpus.count:
        found = _engine_need(workspace, located, reply)
        if found and not found.fits:
            raise found.problem(f"The {who} runs {located.id}, which", settings)
        if not found and rough > gpus.count * gpus.size:
            raise UsageError(
                f"The {who} runs {located.id}, which needs about {_gb(rough)}; there {gpus.described}.", remedy
            )
    elif not Path(located.id).exists() and ((parameters(located.id) or 0) > LARGEST_ON_CPU or (ram and rough > ram)):
        raise UsageError(
            f"The {who} runs {located.id}, which needs about {_gb(rough)} of GPU memory, and this machine has no GPU.",
            remedy,
        )


def _is_here(model: Model, who: str) -> bool:
    """Whether a model is a folder or file of this machine; False for what may be the id of one on the hub.

    Raises:
        UsageError: it is neither, its files are damaged, or it is no model, unless a named backend may know better.
    """
    id = model.id
    if id and (path := Path(id)).exists():
        if path.suffix != ".gguf" and not (path / "config.json").is_file() and not model.backend:
            raise UsageError(f"The {who} runs '{id}', which is no model: it has no config.json.", _NO_MODEL)
        check_files(path)
        return True
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", id):
        raise UsageError(
            f"The {who} runs '{id}', which is neither a folder nor the id of a model on the hub.", _NO_MODEL
        )
    if "/" not in id and (near := get_close_matches(id, OWN, n=1, cutoff=0.7)):
        raise UsageError(f"The {who} runs '{id}', which is no folder here.", f"Did you mean '{near[0]}'?")
    return False


def _check_backends(workspace: Workspace, model: Model, who: str) -> None:
    """Refuse a backend that does not exist, or whose options are wrong; whether it is installed is seen later."""
    specs: Sequence[Spec | None] = model.backend if isinstance(model.backend, tuple) else (model.backend,)
    for spec in specs:
        if spec is None:
            continue
        entry = workspace.registry.find("backend", spec if isinstance(spec, str) else str(spec.get("use")))
        if entry.status != "missing-extra":
            workspace.registry.build(Backend, spec, where=f"backend of the {who}")


def parameters(id: str) -> float | None:
    """Parameters of a model, read from its name (``...-14B``), or None."""
    found = _PARAMETERS.findall(id.rsplit("/", 1)[-1])
    return max(float(number) for number in found) * 1e9 if found else None


def downloaded(model: Model) -> bool:
    """Is the model in the hub's cache?"""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(model.id, "config.json", revision=model.revision), str)


@cache
def reachable() -> bool:
    """Does the model hub answer?"""
    import httpx
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        httpx.head(constants.ENDPOINT, timeout=5, follow_redirects=True)
    except httpx.HTTPError:
        return False
    return True


def on_hub(model: Model) -> bool:
    """False if the hub says that it has no such model, or none for this user."""
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        HfApi().model_info(model.id, revision=model.revision, timeout=5)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return False
    except (HfHubHTTPError, httpx.HTTPError, OSError):  # it may answer later
        return True
    return True


def _gb(size: float) -> str:
    return f"{size / 1e9:.0f} GB"
