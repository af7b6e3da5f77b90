"""How many to take of each cell, so that a selection is even."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def allocate(
    sizes: Mapping[tuple[str, ...], int], *, total: int | None = None, ratio: float | None = None
) -> dict[tuple[str, ...], int]:
    """Share a total over cells: evenly over the first key, then within each of its values over the next key.

    What a small cell cannot take goes to the others.

    Args:
        sizes: how many there are in each cell; all cells have equally many keys.
        total: how many to take at most; None for no limit.
        ratio: no cell or group takes more than this times its smallest sibling; None for no limit.

    Returns:
        How many to take of each cell, in the order of `sizes`.
    """
    filled = _fill(sizes, _capacity(sizes, ratio) if total is None else min(total, _capacity(sizes, ratio)), ratio)
    return {cell: filled[cell] for cell in sizes}


def _groups(sizes: Mapping[tuple[str, ...], int]) -> list[dict[tuple[str, ...], int]]:
    """Split cells by their first key; cells without keys are one cell each."""
    groups: dict[str, dict[tuple[str, ...], int]] = {}
    for cell, size in sizes.items():
        groups.setdefault(cell[0], {})[cell[1:]] = size
    return list(groups.values())


def _capacity(sizes: Mapping[tuple[str, ...], int], ratio: float | None) -> int:
    if () in sizes or not sizes:
        return sizes.get((), 0)
    capacities = [_capacity(group, ratio) for group in _groups(sizes)]
    cap = max(capacities) if ratio is None else int(ratio * min(capacities))
    return sum(min(capacity, cap) for capacity in capacities)


def _fill(sizes: Mapping[tuple[str, ...], int], budget: int, ratio: float | None) -> dict[tuple[str, ...], int]:
    if () in sizes or not sizes:
        return dict.fromkeys(sizes, budget)
    groups = _groups(sizes)
    given = _pour([_capacity(group, ratio) for group in groups], budget)
    names = list(dict.fromkeys(cell[0] for cell in sizes))
    return {
        (name, *rest): count
        for name, group, share in zip(names, groups, given, strict=True)
        for rest, count in _fill(group, share, ratio).items()
    }


def _pour(capacities: Sequence[int], budget: int) -> list[int]:
    """Give each in turn an equal part of what is left, the smallest first; an odd one goes to the largest."""
    given = [0] * len(capacities)
    order = sorted(range(len(capacities)), key=lambda index: capacities[index])
    for place, index in enumerate(order):
        given[index] = min(capacities[index], budget // (len(order) - place))
        budget -= given[index]
    return given
