"""Overlays each iteration of a recipe on the blocks that the iterations share."""

from __future__ import annotations

import copy
from typing import Any

from openvlt.errors import UsageError
from openvlt.recipe.positions import SourcePositions
from openvlt.recipe.schema import Iteration

ITERATION_KEYS = tuple(Iteration.model_fields)
"""Keys that may also be at the top of a recipe, where they hold for every iteration that does not override them."""


def spread(tree: dict[str, Any], count: int | None, positions: SourcePositions) -> None:
    """Overlay each iteration on the blocks at the top; `count` repeats the last iteration or drops some.

    Raises:
        UsageError: the iterations are neither a list nor a number of at least 1, or there is none to repeat.
    """
    shared = {key: tree.pop(key) for key in ITERATION_KEYS if key in tree}
    iterations = tree.get("iterations", [{}] if shared else [])
    if type(iterations) is int and iterations >= 1:
        iterations = [{}] * iterations
    if not isinstance(iterations, list):
        raise UsageError(
            f"{positions.of(('iterations',))}: iterations is {iterations!r}.",
            "Write a list of iterations, or their number, at least 1.",
        )
    if count and not iterations:
        raise UsageError(f"{count} iterations are asked for: the recipe has none.", "Add the key 'iterations' to it.")
    if count:
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
