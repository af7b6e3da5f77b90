"""Explains a mistake in a recipe: what is wrong, where, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from openvlt.errors import UsageError, closest
from openvlt.recipe.overlaying import ITERATION_KEYS
from openvlt.recipe.positions import Key, SourcePositions
from openvlt.recipe.schema import BLOCK, NUMBER, Data, ExecutorSpec, Iteration, Phase, Recipe, Traces
from openvlt.records import Format, Model, Weight
from openvlt.registry.validation import expected

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_LONGEST = 200
_KEY = "Keys are text: write it in quotes."
_KEY_OF_PHASE = "Name a phase by lower-case letters, digits and hyphens, a letter first."
_MOVED = {
    "data": "traces: {data: ...}",
    "teacher": "traces: {teacher: ...}",
    "select": "traces: {select: [...]}",
    "sft": "train: {sft: {trainer: {use: sft, ...}}}",
    "grpo": "train: {grpo: {trainer: {use: grpo, ...}, data: {source: ...}}}",
}
"""Former keys of recipes, and the form that replaced them."""
_SIGNS: Mapping[str, type[BaseModel]] = {"source": Data, "teacher": Traces, "trainer": Phase}
"""Blocks by a key that they require; their other keys need not be written."""


def explain(error: ValidationError, positions: SourcePositions, tree: Mapping[str, Any]) -> UsageError:
    """Report the first mistake, unknown keys first: a misspelt key is often reported as missing as well.

    Args:
        error: of pydantic.
        positions: of the keys.
        tree: the recipe, as it was validated.
    """
    first = min(error.errors(), key=lambda each: each["type"] not in _UNKNOWN)
    key: Key = tuple(step for step in first["loc"] if step not in (BLOCK, NUMBER))
    at, written = positions.of(key), ".".join(map(str, key))
    if first["type"] in _UNKNOWN:
        remedy = _deeper(key, positions, tree)
        if not remedy and key[-1] in _MOVED and _block(key[:-1]) in (Recipe, Iteration):
            return UsageError(f"{at}: the key '{written}' has moved.", f"Write {_MOVED[str(key[-1])]}.")
        remedy = remedy or (_home(str(key[-1]), tree) if len(key) == 1 else "")
        remedy = remedy or closest(str(key[-1]), _valid(_block(key[:-1])))
        return UsageError(f"{at}: there is no key '{written}'.", remedy)
    if first["type"] == "missing":
        return UsageError(f"{positions.of(key[:-1])}: the key '{written}' is missing.", "Add it; see docs/recipes.md.")
    if key[-1:] == ("[key]",):
        return UsageError(f"{at}: {key[-2]!r} is no valid key.", _KEY_OF_PHASE if key[-3] == "train" else _KEY)
    value = repr(first.get("input"))
    shown = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
    return UsageError(f"{at}: {written} is {shown}.", _expected(first, key))


def _deeper(key: Key, positions: SourcePositions, tree: Mapping[str, Any]) -> str:
    """The whole paths that a wrong key of ``--set`` may mean: those of its last step, with what is set below it."""
    own = key[2:] if key[:1] == ("iterations",) else key
    below = next((steps[len(own) :] for steps, _ in positions.settings if own and steps[: len(own)] == own), None)
    if below is None:
        return ""
    above, rest = [".".join(map(str, steps)) for steps in (own[:-1], below)]
    found = [f"{path}.{rest}".rstrip(".") for path in paths_of(str(key[-1]), tree) if path != f"{above}.{key[-1]}"]
    known = set(paths_of(str(below[-1]), tree)) if below else set()
    found = [path for path in found if path in known] or found
    return did_you_mean([path for path in found if above and path.startswith(above)] or found)


def did_you_mean(paths: list[str]) -> str:
    return f"Did you mean {' or '.join(dict.fromkeys(paths))}?" if paths else ""


def _home(name: str, tree: Mapping[str, Any]) -> str:
    """Where the recipe has a key that is written at its top, if that is not the misspelt name of another key there."""
    if places := did_you_mean(list(paths_of(name, tree))):
        return places
    if get_close_matches(name, _valid(Recipe), n=1, cutoff=0.7):
        return ""
    above = list(dict.fromkeys(path.rpartition(".")[0] for path in paths_of("use", tree)))
    return f"An option is set below its component, such as {above[-1]}.{name}." if above else ""


def paths_of(name: str, at: Any, above: str = "") -> Iterator[str]:
    """The places of a key, as ``--set`` takes them: ``train.sft.epochs`` is an option of the phase's trainer."""
    if isinstance(at, dict):
        fields = [field for sign, block in _SIGNS.items() if sign in at for field in block.model_fields]
        for key, value in (at | {field: at.get(field) for field in fields}).items():
            path = above if key in ("trainer", "iterations") else f"{above}.{key}".lstrip(".")
            if key == name and above:
                yield path
            yield from paths_of(name, value, path)
    elif isinstance(at, list):
        for index, value in enumerate(at):
            yield from paths_of(name, value, f"{above}.{index}" if above else "")  # of the iterations, any


def _expected(error: ErrorDetails, key: Key) -> str:
    """What to write at `key` instead."""
    kind = error["type"]
    if kind == "dict_type":
        return "Write a mapping."
    if kind in ("model_type", "dataclass_type"):
        word = "the word traces, or " if key[-3:-2] == ("train",) and key[-1] == "data" else ""
        word = "an id, or " if _block(key) is Model else word
        return f"Write {word}a mapping; its keys are {', '.join(_valid(_block(key)))}."
    if kind == "value_error":
        said = error["msg"].removeprefix("Value error, ")
        return f"{said[:1].upper()}{said[1:]}."
    return f"It must be {expected(error)}."


_BLOCKS: Mapping[str, type] = {
    "data": Data, "traces": Traces, "format": Format, "executor": ExecutorSpec, "base": Model, "start": Model,
}  # fmt: skip


def _block(key: Key) -> type:
    """The block at `key`."""
    if not key:
        return Recipe
    if isinstance(key[-1], int):
        return Iteration
    if "rewards" in key[-2:-1] or "routes" in key[-3:-2]:
        return Weight
    return Phase if key[-2:-1] == ("train",) else _BLOCKS.get(str(key[-1]), Iteration)


def _valid(block: Any) -> list[str]:
    """The valid keys of a block."""
    if block is Recipe:
        return [*Recipe.model_fields, *ITERATION_KEYS]
    return list(block.model_fields) if issubclass(block, BaseModel) else [field.name for field in fields(block)]
