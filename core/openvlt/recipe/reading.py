"""Finds a recipe, reads it with the position of each key, and applies the changes of the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from openvlt.errors import UsageError, closest
from openvlt.recipe.mistakes import explain
from openvlt.recipe.overlaying import rescale, spread
from openvlt.recipe.overrides import replace_blocks
from openvlt.recipe.parsing import parse, read_yaml
from openvlt.recipe.paths import anchored
from openvlt.recipe.positions import Key, SourcePositions
from openvlt.recipe.schema import Recipe
from openvlt.recipe.settings import Setting


def find_recipes() -> dict[str, Path]:
    """The recipes that come with openvlt, by name."""
    folder = Path(str(files("openvlt_tasks"))) / "train"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_recipe(
    name: str,
    overrides: Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
    iterations: int | None = None,
    *,
    text: str | None = None,
) -> Recipe:
    """Read a recipe.

    Args:
        name: name of a recipe that comes with openvlt, or a path.
        overrides: blocks to replace, by switch (``{"teacher": {"use": "r1-distill"}}``).
        settings: ``a.b=c`` strings, applied last; values are YAML. ``scale=NAME`` overlays one of the recipe's scales
            before all other changes, and adds its name to that of the recipe.
        iterations: their number; the last iteration is repeated as often as needed.
        text: the recipe itself, if it is in no file; its name is then for messages.

    Raises:
        UsageError: the recipe is wrong; the message has file, line and key, what was expected and the closest name.
    """
    path = _path(name) if text is None else Path(name)
    tree, lines = _parse(path, text)
    changes = [Setting(text) for text in settings]
    counts = [change.value for change in changes if change.is_count]
    scales = [change.value for change in changes if change.key == ("scale",)]
    changes = [change for change in changes if not change.is_count and change.key != ("scale",)]
    rescale(tree, scales[-1] if scales else None)
    loops = [change for change in changes if change.key == ("iterations",)]
    for change in loops:
        change.apply(tree)
    switches = replace_blocks(tree, overrides or {})
    positions = SourcePositions(path, lines, [(change.key, change.text) for change in changes], switches)
    spread(tree, counts[-1] if counts else iterations, positions)
    for change in changes:
        if change not in loops:
            change.apply(tree)
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        raise explain(error, positions, tree) from error
    recipe.record_positions(positions)
    return recipe


def _path(name: str) -> Path:
    known = find_recipes()
    if name in known:
        return known[name]
    if _is_file(path := Path(name)):
        return path
    if path.suffix in (".yaml", ".yml") or "/" in name:
        raise UsageError(f"The recipe file {name} does not exist.", f"Recipes by name: {', '.join(known)}.")
    raise UsageError(f"There is no recipe '{name}'.", closest(name, list(known)))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def _parse(path: Path, text: str | None) -> tuple[dict[str, Any], dict[Key, int]]:
    tree, lines = read_yaml(path, "recipe") if text is None else parse(text, str(path))
    if not isinstance(tree, dict):
        raise UsageError(f"{path} is not a recipe: it must be a mapping.", "See docs/recipes.md.")
    return anchored(tree, path.parent), lines
