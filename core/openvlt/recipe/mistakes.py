"""Explains a mistake in a recipe: what is wrong, where, and what was probably meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import BaseModel, ValidationError

from openvlt.errors import UsageError, closest
from openvlt.recipe.overlaying import ITERATION_KEYS
from openvlt.recipe.positions import Key, SourcePositions
from openvlt.recipe.schema import BLOCK, Data, ExecutorSpec, Iteration, Phase, Recipe, Traces
from openvlt.records import Format, Model

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_MOVED = {
    "data": "traces: {data: ...}",
    "teacher": "traces: {teacher: ...}",
    "select": "traces: {select: [...]}",
    "sft": "train: {sft: {trainer: {use: sft, ...}}}",
    "grpo": "train: {grpo: {trainer: {use: grpo, ...}, data: {source: ...}}}",
}
"""Former keys of recipes, and the form that replaced them."""


def explain(error: ValidationError, positions: SourcePositions) -> UsageError:
    """Report the first mistake, unknown keys first: a misspelt key is often reported as missing as well."""
    first = min(error.errors(), key=lambda each: each["type"] not in _UNKNOWN)
    key: Key = tuple(step for step in first["loc"] if step != BLOCK)
    at, written = positions.of(key), ".".join(map(str, key))
    if first["type"] in _UNKNOWN:
        if key[-1] in _MOVED and _block(key[:-1]) in (Recipe, Iteration):
            return UsageError(f"{at}: the key '{written}' has moved.", f"Write {_MOVED[str(key[-1])]}.")
        return UsageError(f"{at}: there is no key '{written}'.", closest(str(key[-1]), _valid(key)))
    if first["type"] == "missing":
        return UsageError(f"{positions.of(key[:-1])}: the key '{written}' is missing.", "Add it; see docs/recipes.md.")
    expected = first["msg"].removeprefix("Value error, ")
    return UsageError(f"{at}: {written} is {first.get('input')!r}.", f"{expected[:1].upper()}{expected[1:]}.")


_BLOCKS: Mapping[str, type] = {
    "data": Data, "traces": Traces, "format": Format, "executor": ExecutorSpec, "base": Model, "start": Model,
}  # fmt: skip


def _block(key: Key) -> type:
    """The block at `key`."""
    if not key:
        return Recipe
    if isinstance(key[-1], int):
        return Iteration
    return Phase if key[-2:-1] == ("train",) else _BLOCKS.get(str(key[-1]), Iteration)


def _valid(key: Key) -> list[str]:
    """The valid keys where an unknown one was found."""
    block: Any = _block(key[:-1])
    if block is Recipe:
        return [*Recipe.model_fields, *ITERATION_KEYS]
    return list(block.model_fields) if issubclass(block, BaseModel) else [field.name for field in fields(block)]
