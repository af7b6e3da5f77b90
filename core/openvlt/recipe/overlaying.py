"""Overlays each iteration of a recipe on the blocks that the iterations share."""

from __future__ import annotations

import copy
from typing import Any

from openvlt.errors import UsageError, closest
from openvlt.recipe.positions import SourcePositions
from openvlt.recipe.schema import Iteration
from openvlt.recipe.short_forms import written_out

ITERATION_KEYS = tuple(Iteration.model_fields)
"""Keys that may also be at the top of a recipe, where they hold for every iteration that does not override them."""


MOST = 1_000
"""Iterations of a recipe; each is a copy of all its blocks."""


def spread(tree: dict[str, Any], count: int | None, positions: SourcePositions) -> None:
    """Overlay each iteration on the blocks at the top; `count` repeats the last iteration or drops some.

    Raises:
        UsageError: the iterations are neither a list nor a number of at least 1, there is none to repeat, or they are
            over `MOST`.
    """
    written = tree.get("iterations")
    wanted = max(count or 0, written if type(written) is int else 0)
    if wanted > MOST:
        raise UsageError(f"{wanted:,} iterations are asked for, over {MOST:,}.", "Ask for fewer.")
    shared = {key: tree.pop(key) for key in ITERATION_KEYS if key in tree}
    iterations = tree.get("iterations", [{}] if shared else [])
    if type(iterations) is int and iterations >= 1:
        iterations = [{}] * iterations
    if iterations == [] and shared:
        raise UsageError(
            f"{positions.of(('iterations',))}: iterations is [], so that {' and '.join(shared)} would have no effect.",
            "Remove the key for one iteration, or give their number.",
        )
    if not isinstance(iterations, list):
        raise UsageError(
            f"{positions.of(('iterations',))}: iterations is {iterations!r}.",
            "Write a list of iterations, or their number, at least 1.",
        )
    if count and not iterations:
        raise UsageError(f"{count} iterations are asked for: the recipe has none.", "Add the key 'iterations' to it.")
    if count:
        iterations = (iterations + iterations[-1:] * count)[:count]
    tree["iterations"] = [_overlay("iterations", shared, {} if each is None else each) for each in iterations]


def rescale(tree: dict[str, Any], name: Any) -> None:
    """Overlay a recipe by one of its scales, in place; its key ``scales`` is removed.

    A scale has keys of a recipe. Its ``traces`` and ``train`` hold wherever the recipe has them, at the top and in
    iterations; an item of its ``iterations`` holds for that iteration. The recipe's name becomes ``NAME-SCALE``.

    Args:
        tree: the parsed recipe.
        name: of the scale; None for none.

    Raises:
        UsageError: there is no such scale, or it cannot be overlaid.
    """
    scales = tree.pop("scales", None) or {}
    if name is None:
        return
    if not isinstance(scales, dict) or not isinstance(scales.get(name) if isinstance(name, str) else None, dict):
        known = sorted(map(str, scales)) if isinstance(scales, dict) else []
        raise UsageError(f"The recipe has no scale '{name}'.", closest(str(name), known) if known else "Omit it.")
    own = tree.get("iterations")
    iterations = [each for each in own if isinstance(each, dict)] if isinstance(own, list) else []
    scale = dict(scales[name])
    single = scale.pop("iterations", [])
    if "name" in tree:
        tree["name"] = f"{tree['name']}-{name}"
    for key, value in scale.items():
        for home in (tree, *iterations) if key in ITERATION_KEYS else (tree,):
            if (home is tree and key not in ITERATION_KEYS) or isinstance(home.get(key), dict):
                home[key] = _overlay(key, home.get(key), value)
    for below, above in zip(iterations, single if isinstance(single, list) else [], strict=False):
        if isinstance(above, dict):
            below.update(_overlay("iterations", below, above))


def _overlay(key: str, below: Any, above: Any) -> Any:
    """Overlay one mapping by another; another component or model replaces the one below it as a whole."""
    lower = written_out(key, below) if isinstance(above, dict) else below
    upper = written_out(key, above) if isinstance(below, dict) else above
    if not isinstance(lower, dict) or not isinstance(upper, dict) or not _same(lower, upper):
        return copy.deepcopy(above)
    return {
        each: _overlay(each, lower[each], upper[each])
        if each in lower and each in upper
        else copy.deepcopy(upper.get(each, lower.get(each)))
        for each in _order(list(lower), list(upper))
    }


def _same(below: dict[str, Any], above: dict[str, Any]) -> bool:
    """Whether both are of one component or model, or one of them does not say."""
    name = "use" if "use" in below or "use" in above else "id"
    return bool(above.get(name, below.get(name)) == below.get(name))


def _order(below: list[str], above: list[str]) -> list[str]:
    """The keys of both: those of `above` in their own order, in the places where they are in `below`.

    A key that is new is before the next one that is not, else last.
    """
    ordered: list[str] = []
    left = above
    for key in below:
        if key in above:
            taken = 1 + next(index for index, each in enumerate(left) if each in below)
            ordered += left[:taken]
            left = left[taken:]
        else:
            ordered.append(key)
    return ordered + left
