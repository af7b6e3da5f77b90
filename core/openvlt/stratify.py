"""How many rows to take from each cell of a stratified selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def allocate(
    sizes: Mapping[tuple[str, ...], int], *, total: int | None = None, ratio: float | None = None
) -> dict[tuple[str, ...], int]:
    """Allocate a total to cells: evenly over the first key, then for each of its values over the next key.

    What exceeds a small cell goes to the others.

    Args:
        sizes: the size of each cell; all cells have the same number of keys.
        total: at most this many in total; None for no limit.
        ratio: at most this times its smallest sibling for each cell or group; None for no limit.

    Returns:
        How many to take from each cell, in the order of `sizes`.
    """
    capacity = _capacity(sizes, ratio)
    filled = _fill(sizes, capacity if total is None else min(total, capacity), ratio)
    return {cell: filled[cell] for cell in sizes}


def _groups(sizes: Mapping[tuple[str, ...], int]) -> list[dict[tuple[str, ...], int]]:
    """Split cells by their first key."""
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
    budgets = _split([_capacity(group, ratio) for group in groups], budget)
    names = list(dict.fromkeys(cell[0] for cell in sizes))
    return {
        (name, *rest): count
        for name, group, part in zip(names, groups, budgets, strict=True)
        for rest, count in _fill(group, part, ratio).items()
    }


def _split(capacities: Sequence[int], budget: int) -> list[int]:
    """Split a budget evenly, the smallest capacity first so that what it cannot take goes to the larger ones."""
    taken = [0] * len(capacities)
    order = sorted(range(len(capacities)), key=lambda index: capacities[index])
    for rank, index in enumerate(order):
        taken[index] = min(capacities[index], budget // (len(order) - rank))
        budget -= taken[index]
    return taken
