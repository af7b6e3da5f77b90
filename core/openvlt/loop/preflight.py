"""Before any work: can every model of the recipe run here at all?"""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from openvlt import system
from openvlt.errors import UsageError
from openvlt.loop.parts import Loaded, Parts
from openvlt.recipe import Recipe
from openvlt.records import Model
from openvlt.stages.models import locate
from openvlt.stages.workspace import Workspace

OVERHEAD = 1.2
"""Memory of a running model over that of its weights: activations, key-value cache, buffers (a rule of thumb)."""
LARGEST_ON_CPU = 4e9
"""Parameters beyond which a model without a GPU is too slow to be of any use."""

_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?")
_PARAMETERS = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)


def preflight(workspace: Workspace, recipe: Recipe, parts: Parts, *, train: bool = True) -> None:
    """Refuse a recipe whose models cannot run on this machine.

    Args:
        workspace: finds the models.
        recipe: names the base model.
        parts: name the others.
        train: False if only the first iteration's traces are wanted; then only what makes them must run.

    Raises:
        UsageError: what the model needs, and what to do instead.
    """
    turns = parts.turns if train else parts.turns[:1]
    asked = [("teacher", turn.model, turn.teacher.entry.name) for turn in turns]
    if parts.captioner is not None:
        captioner, model = parts.captioner
        asked.insert(0, ("captioner", model, captioner.entry.name))
    if train or any(model.id in ("base", "policy") for _, model, _ in asked):
        check("base", recipe.base, workspace)
    for role, model, name in asked:
        check(role, model, workspace, name)
    for reinforced in (each for turn in turns for each in turn.grpo if train):
        if (most := _most(reinforced.loaded)) is not None:
            reinforced.trainer.component.preflight(most)


def _most(loaded: Loaded) -> int | None:
    """Examples there can be at most, or None if only the work tells."""
    known = (loaded.data.limit, loaded.source.component.size(loaded.data.split))
    return min((count for count in known if count is not None), default=None)


def packages(recipe: Recipe) -> None:
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


def check(role: str, model: Model, workspace: Workspace, name: str = "") -> None:
    """Refuse one model that cannot run here; a served model is its server's concern, but for its address."""
    for url in model.url:
        if not _ADDRESS.fullmatch(url):
            raise UsageError(
                f"The {role} has a URL that is no plain address: {url.rpartition('@')[2].partition('?')[0]}",
                "Write http://HOST:8000/v1; a key comes from the environment and stands in no URL.",
            )
    if model.url or (model.id in ("base", "policy") and role != "base"):
        return
    located = locate(model, workspace)
    if Path(located.id).exists():
        return
    who = f"The {role} {name}".strip()
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", located.id):
        raise UsageError(
            f"{who} runs {located.id}, which is neither a folder nor the id of a model on the hub.",
            "Give a folder that exists, or an id such as Qwen/Qwen2.5-VL-3B-Instruct.",
        )
    smaller = "--base FOLDER_OR_HUB_ID" if role == "base" else f"--set {role}.model=HUB_ID"
    served = "" if role == "base" else f", one that is served (--{role}-url http://HOST:8000/v1)"
    remedy = f"Use a smaller model ({smaller}){served}, or look at the whole plan first (--plan)."
    size = parameters(located.id)
    width = 4 if located.dtype == "float32" else 2
    needed = (size or 0) * width * OVERHEAD
    gpu, ram = gpu_memory(), system.memory()
    if size and gpu and needed > gpu:
        raise UsageError(f"{who} runs {located.id}, which needs about {_gb(needed)}; the GPUs have {_gb(gpu)}.", remedy)
    if size and not gpu and (size > LARGEST_ON_CPU or (ram and needed > ram)):
        raise UsageError(
            f"{who} runs {located.id}, which needs about {_gb(needed)} of GPU memory, and this machine has no GPU.",
            remedy,
        )
    if not downloaded(located) and not reachable():
        raise UsageError(
            f"{who} runs {located.id}, which is not on this machine, and the model hub cannot be reached from here.",
            remedy,
        )


def parameters(id: str) -> float | None:
    """Parameters of a model, told from its name (``...-14B``), or None."""
    found = _PARAMETERS.findall(id.rsplit("/", 1)[-1])
    return max(float(number) for number in found) * 1e9 if found else None


def gpu_memory() -> int:
    """Bytes of memory of all GPUs together, 0 without one; asked of the driver, for importing torch takes seconds."""
    if not shutil.which("nvidia-smi"):
        return 0
    asked = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return sum(int(line) << 20 for line in asked.stdout.split() if line.isdigit())


def downloaded(model: Model) -> bool:
    """Is the model in the hub's cache?"""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(model.id, "config.json", revision=model.revision), str)


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


def _gb(size: float) -> str:
    return f"{size / 1e9:.0f} GB"
