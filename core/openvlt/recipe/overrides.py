"""Applies the command line to a recipe, and its shared blocks to the iterations."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import yaml

from openvlt.errors import UsageError
from openvlt.recipe.positions import Key, split
from openvlt.recipe.schema import Iteration, Phase

ITERATION_KEYS = tuple(Iteration.model_fields)
"""Keys that may also be at the top of a recipe, where they hold for every iteration that does not override them."""
SWITCHES: Mapping[str, Key] = {
    "teacher": ("traces", "teacher"),
    "source": ("traces", "data", "source"),
    "captioner": ("captioner",),
    "base": ("base",),
}
"""The block that each switch of the command line replaces."""


def replace_blocks(tree: dict[str, Any], blocks: Mapping[str, Any]) -> dict[Key, str]:
    """Replace whole blocks: in the first iteration that has the block itself, else at the top of the recipe.

    Args:
        tree: the parsed YAML; changed in place.
        blocks: by switch, such as ``{"teacher": {"use": "r1-distill"}}``.

    Returns:
        The switch that replaced each block, as typed.

    Raises:
        UsageError: the recipe makes no traces, so it has no teacher or source to replace.
    """
    switches: dict[Key, str] = {}
    for switch, block in blocks.items():
        named = block.get("use", block.get("id")) if isinstance(block, dict) else block
        key = SWITCHES[switch]
        if key[0] == "traces":
            key = (*_home_of_traces(tree, key, f"--{switch} {named}"), *key)
        at: Any = tree
        for step in key[:-1]:
            at = at[int(step)] if isinstance(at, list) else _below(at, step)
        at[key[-1]] = block
        switches[key] = f"--{switch} {named}"
    return switches


def _below(at: dict[str, Any], step: Any) -> Any:
    if not isinstance(at.get(step), dict | list):
        at[step] = {}
    return at[step]


def _home_of_traces(tree: dict[str, Any], key: Key, switch: str) -> Key:
    """Where the first `traces` of the recipe have the block: in an iteration, or at the top."""
    iterations = tree.get("iterations")
    for index, iteration in enumerate(iterations if isinstance(iterations, list) else []):
        if isinstance(iteration, dict) and isinstance(own := iteration.get("traces"), dict):
            return ("iterations", index) if key[1] in own or "traces" not in tree else ()
        if "traces" in tree and not (isinstance(iteration, dict) and "traces" in iteration):
            return ()
    if "traces" in tree:
        return ()
    raise UsageError(f"{switch} replaces nothing: the recipe makes no traces.", "Remove it, or add the key 'traces'.")


def set_key(tree: dict[str, Any], setting: str) -> Key:
    """Apply one ``a.b=c``; the value is YAML. Returns the key that was set.

    ``train.sft.epochs`` sets an option of the phase's trainer, as a phase has no such key itself.

    Raises:
        UsageError: there is no value, it is not YAML, or the key does not exist.
    """
    key, equals, value = setting.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {setting} has no value.", "Write --set a.b=c, such as --set seed=1.")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {setting}: the value is not YAML.", "Quote it, such as --set a.b='[1, 2]'.") from error
    steps = _with_trainer(split(key))
    at: Any = tree
    for step in steps[:-1]:
        at = _descend(at, step, setting)
    last = steps[-1]
    at[_index(at, last, setting) if isinstance(at, list) else str(last)] = parsed
    return steps


def _with_trainer(steps: Key) -> Key:
    at = 2 if steps[:1] == ("iterations",) else 0
    phase, option = at + 2, steps[at + 2 : at + 3]
    if steps[at : at + 1] == ("train",) and option and option[0] not in Phase.model_fields:
        return (*steps[:phase], "trainer", *steps[phase:])
    return steps


def _descend(at: Any, step: str | int, setting: str) -> Any:
    if isinstance(at, list):
        index = _index(at, step, setting)
        if isinstance(at[index], str):
            at[index] = {"use": at[index]}
        return at[index]
    if isinstance(at.get(step), str):
        at[step] = {"id" if step in ("base", "model", "start") else "use": at[step]}
    below = at.setdefault(step, {})
    if not isinstance(below, dict | list):
        raise UsageError(f"--set {setting}: '{step}' is a value and has no keys.", "Set it as a whole.")
    return below


def _index(at: list[Any], step: str | int, setting: str) -> int:
    if not isinstance(step, int) or step >= len(at):
        raise UsageError(
            f"--set {setting}: '{step}' must be a number below {len(at)}.", "Lists count from 0, such as iterations.0."
        )
    return step


def spread(tree: dict[str, Any], count: int | None) -> None:
    """Overlay each iteration on the blocks at the top; `count` repeats the last iteration or drops some.

    Raises:
        UsageError: there is no iteration to repeat.
    """
    shared = {key: tree.pop(key) for key in ITERATION_KEYS if key in tree}
    iterations = tree.get("iterations", [{}] if shared else [])
    if isinstance(iterations, int):
        iterations = [{}] * iterations
    if not isinstance(iterations, list):
        return
    if count:
        if not iterations:
            raise UsageError(
                f"--iterations {count}: the recipe has no iterations.",
                "Remove the option.",
            )
        iterations = (iterations + iterations[-1:] * count)[:count]
    tree["iterations"] = [_overlay(shared, {} if each is None else each) for each in iterations]


def _overlay(below: Any, above: Any) -> Any:
    """Overlay one mapping by another; a component with another ``use`` replaces the one below it as a whole."""
    if (
        not isinstance(below, dict)
        or not isinstance(above, dict)
        or above.get("use", below.get("use")) != below.get("use")
    ):
        return copy.deepcopy(above)
    merged = copy.deepcopy(below)
    for key, value in above.items():
        merged[key] = _overlay(below[key], value) if key in below else copy.deepcopy(value)
    return merged
