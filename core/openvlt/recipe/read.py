"""Find a recipe, read it with the places of its lines, apply overrides, and say what is wrong where."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from openvlt.errors import UsageError, closest
from openvlt.recipe.positions import Key, SourcePositions
from openvlt.recipe.schema import Data, ExecutorSpec, Iteration, Recipe, Reinforce

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
ITERATION_KEYS = tuple(Iteration.model_fields)
"""Keys that may also stand at the top of a recipe; there they hold for every iteration that does not override them."""


def find_recipes() -> dict[str, Path]:
    """The recipes that come with openvlt, by name."""
    folder = Path(str(files("openvlt_tasks"))) / "train"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_recipe(
    name: str, overrides: Mapping[str, Any] | None = None, settings: Sequence[str] = (), iterations: int | None = None
) -> Recipe:
    """Read a recipe.

    Args:
        name: name of a recipe that comes with openvlt, or a path.
        overrides: whole blocks by key (``{"teacher": {"use": "r1-distill"}}``), for the first iteration.
        settings: ``a.b=c`` strings, applied last; values are YAML.
        iterations: how many turns; more than the recipe has repeat its last.

    Raises:
        UsageError: file, line and key of what is wrong, what was expected, and the closest valid name.
    """
    path = _path(name)
    tree, lines = _parse(path)
    switches = _override(tree, overrides or {})
    for setting in settings:
        _set(tree, setting)
    _spread(tree, iterations)
    places = SourcePositions(path, lines, settings, switches)
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        raise _explain(error, places) from error
    recipe.placed(places)
    return recipe


def _path(name: str) -> Path:
    known = find_recipes()
    if name in known:
        return known[name]
    if (path := Path(name)).is_file():
        return path
    if path.suffix in (".yaml", ".yml") or "/" in name:
        raise UsageError(f"The recipe file {name} does not exist.", f"Recipes by name: {', '.join(known)}.")
    raise UsageError(f"There is no recipe '{name}'.", closest(name, list(known)))


def _parse(path: Path) -> tuple[dict[str, Any], dict[Key, int]]:
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error.reason}.", "Name a YAML file.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"{path}:{mark.line + 1}" if mark else str(path)
        raise UsageError(f"{at}: this is not YAML: {getattr(error, 'problem', error)}.", "Mend the line.") from error
    if not isinstance(tree, dict):
        raise UsageError(f"{path} holds no recipe: it must be a mapping.", "See docs/recipes.md.")
    lines: dict[Key, int] = {}
    _mark(node, (), lines)
    return tree, lines


def _mark(node: Any, at: Key, lines: dict[Key, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[(*at, key.value)] = key.start_mark.line + 1
            _mark(value, (*at, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*at, index)] = value.start_mark.line + 1
            _mark(value, (*at, index), lines)


def _override(tree: dict[str, Any], overrides: Mapping[str, Any]) -> dict[Key, str]:
    """Replace whole blocks; a block of an iteration is replaced in the first one, the top's for all others too.

    Returns the switch that replaced each, as the command line has it.
    """
    switches: dict[Key, str] = {}
    turns = tree.get("iterations")
    first = turns[0] if isinstance(turns, list) and turns and isinstance(turns[0], dict) else None
    for key, block in overrides.items():
        if key == "source":
            target = first if first is not None and "data" in first else tree
            target["data"] = {**(target.get("data") or {}), "source": block}
            at: Key = ("data", "source")
        else:
            target = first if first is not None and key in first else tree
            target[key] = block
            at = (key,)
        named = block.get("use", block.get("id")) if isinstance(block, dict) else block
        switches[at if target is tree else ("iterations", 0, *at)] = f"--{key} {named}"
    return switches


def _set(tree: dict[str, Any], setting: str) -> None:
    key, equals, value = setting.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {setting} has no value.", "Write --set a.b=c, such as --set seed=1.")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {setting}: the value is not YAML.", "Quote it, such as --set a.b='[1, 2]'.") from error
    at: Any = tree
    *path, last = key.split(".")
    for step in path:
        at = _step(at, step, setting)
    if isinstance(at, list):
        at[_index(at, last, setting)] = parsed
    else:
        at[last] = parsed


def _step(at: Any, step: str, setting: str) -> Any:
    if isinstance(at, list):
        index = _index(at, step, setting)
        if isinstance(at[index], str):
            at[index] = {"use": at[index]}
        return at[index]
    if isinstance(at.get(step), str):
        at[step] = {"id" if step in ("base", "model") else "use": at[step]}
    below = at.setdefault(step, {})
    if not isinstance(below, dict | list):
        raise UsageError(f"--set {setting}: '{step}' is a value, nothing lies below it.", "Set it as a whole.")
    return below


def _index(at: list[Any], step: str, setting: str) -> int:
    if not step.isdigit() or int(step) >= len(at):
        raise UsageError(
            f"--set {setting}: '{step}' must be a number below {len(at)}.", "Lists count from 0, such as iterations.0."
        )
    return int(step)


def _spread(tree: dict[str, Any], count: int | None) -> None:
    """Give every iteration the blocks that stand at the top, unless it has its own."""
    shared = {key: tree.pop(key) for key in ITERATION_KEYS if key in tree}
    turns = tree.get("iterations", [{}])
    if isinstance(turns, int):
        turns = [{}] * turns
    if not isinstance(turns, list):
        return
    if count:
        turns = (turns + turns[-1:] * count)[:count]
    tree["iterations"] = [_merge(shared, turn) if isinstance(turn or {}, dict) else turn for turn in turns]


def _merge(below: Any, above: Any) -> Any:
    """Lay one mapping over another; a component with another ``use`` replaces the one below as a whole."""
    if above is None:
        return copy.deepcopy(below)
    if (
        not isinstance(below, dict)
        or not isinstance(above, dict)
        or above.get("use", below.get("use")) != below.get("use")
    ):
        return copy.deepcopy(above)
    merged = copy.deepcopy(below)
    for key, value in above.items():
        merged[key] = _merge(below[key], value) if key in below else copy.deepcopy(value)
    return merged


def _explain(error: ValidationError, places: SourcePositions) -> UsageError:
    """Tell the first mistake; an unknown key first, for a misspelt one is often missing as well."""
    first = min(error.errors(), key=lambda each: each["type"] not in _UNKNOWN)
    loc = first["loc"]
    at, key = places.of(loc), ".".join(str(step) for step in loc)
    if first["type"] in _UNKNOWN:
        return UsageError(f"{at}: there is no key '{key}'.", closest(str(loc[-1]), _valid(loc)))
    if first["type"] == "missing":
        return UsageError(f"{at}: the key '{key}' is missing.", "Add it; docs/recipes.md says what it holds.")
    expected = first["msg"].removeprefix("Value error, ")
    return UsageError(f"{at}: {key} is {first.get('input')!r}.", f"{expected[:1].upper()}{expected[1:]}.")


def _valid(loc: Key) -> list[str]:
    """The keys that may stand where an unknown one was found."""
    if len(loc) == 1:
        return [*Recipe.model_fields, *ITERATION_KEYS]
    block: type[BaseModel] = Iteration
    if "data" in loc[:-1]:
        block = Data
    elif "grpo" in loc[:-1]:
        block = Reinforce
    elif loc[0] == "format":
        return ["system", "suffix", "think", "answer"]
    elif loc[0] == "executor":
        block = ExecutorSpec
    elif loc[0] == "base":
        return ["id", "revision", "backend", "dtype", "pixels", "context", "url"]
    return list(block.model_fields)
