"""Replaces whole blocks of a recipe, as the switches of the command line ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openvlt.errors import UsageError
from openvlt.recipe.positions import Key

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
