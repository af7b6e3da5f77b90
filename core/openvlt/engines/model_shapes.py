"""What the small files of a model say of it: from its folder, the hub's cache, or the table of published shapes."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from openvlt.records import Model, ModelShape
from openvlt.vision import counts_pixels, within_pixels


def model_shape(model: Model) -> ModelShape | None:
    """What is known of a model without loading it.

    Args:
        model: its id is a folder or a hub id; the latter may be in the hub's cache or in the table of published shapes
            (``openvlt_tasks/models/published.yaml``).

    Returns:
        None if it has no ``config.json`` here and is not in the table, or is not counted (`ModelShape.of`).
    """
    config = model_file(model) or published().get(model.id)
    return ModelShape.of(config) if config else None


@cache
def published() -> dict[str, Any]:
    """Configurations of well-known models by hub id, as far as their size depends on them."""
    import yaml

    path = Path(str(files("openvlt_tasks"))) / "models" / "published.yaml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def image_limit(model: Model) -> int | None:
    """Pixels to which the model's own processor reduces an image, where that is known here."""
    for name in ("processor_config.json", "preprocessor_config.json"):
        config = model_file(model, name) or {}
        own = _mapping(config.get("image_processor", config))
        edge = _mapping(own.get("size")).get("longest_edge") if counts_pixels(own) else None
        for limit in (own.get("max_pixels"), edge):
            if isinstance(limit, int) and limit > 0:
                return limit
    return None


def check_pixels(model: Model) -> None:
    """Refuse limits that a model's image processor cannot keep; what its files leave out is checked when it is loaded.

    Raises:
        UsageError: see `within_pixels`.
    """
    for name in ("processor_config.json", "preprocessor_config.json"):
        if model.pixels and (settings := model_file(model, name)):
            with suppress(KeyError, TypeError, ValueError, ArithmeticError):
                within_pixels(settings.get("image_processor", settings), model.pixels)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def model_file(model: Model, name: str = "config.json") -> dict[str, Any] | None:
    """A JSON object among a model's files, from its folder or the hub's cache; None if it is not there, or damaged."""
    path: object = Path(model.id, name)
    if model.id.endswith(".gguf"):
        return None
    if not Path(str(path)).is_file() and "/" in model.id:
        try:
            from huggingface_hub import try_to_load_from_cache

            path = try_to_load_from_cache(model.id, name, revision=model.revision)
        except (ImportError, ValueError):  # not installed, so nothing is cached; or no hub id
            return None
    try:
        config = json.loads(Path(str(path)).read_bytes())
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) else None
