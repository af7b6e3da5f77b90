"""How much two boxes overlap, and the best one-to-one matching."""

from __future__ import annotations

from collections.abc import Sequence

from openvlt_plugins.answers.regions.reading import Box


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1; exactly 1 for equal boxes."""
    shared = _shared(a, b)
    return shared / (_area(a) + _area(b) - shared)


def giou(a: Box, b: Box) -> float:
    """Generalised IoU, over -1 to 1 (arXiv 1902.09630): ``IoU - (hull - union) / hull``."""
    shared = _shared(a, b)
    union = _area(a) + _area(b) - shared
    hull = _area((min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])))
    return min(1.0, shared / union - (hull - union) / hull)


def best_total(scores: Sequence[Sequence[float]]) -> float:
    """The largest sum of scores over one-to-one matchings of rows and columns.

    The Hungarian algorithm with potentials, in O(rows^2 * columns) for ``rows <= columns``.
    """
    if not scores or not scores[0]:
        return 0.0
    if len(scores) > len(scores[0]):
        scores = list(zip(*scores, strict=True))
    rows, columns = len(scores), len(scores[0])
    row_potential, column_potential = [0.0] * (rows + 1), [0.0] * (columns + 1)
    row_of = [0] * (columns + 1)  # the row matched to a column, from 1; column 0 holds the row to be matched
    for row in range(1, rows + 1):
        row_of[0], column = row, 0
        slack, before, done = [float("inf")] * (columns + 1), [0] * (columns + 1), [False] * (columns + 1)
        while row_of[column]:
            done[column], current, delta, nearest = True, row_of[column], float("inf"), 0
            for other in range(1, columns + 1):
                if done[other]:
                    continue
                cost = -scores[current - 1][other - 1] - row_potential[current] - column_potential[other]
                if cost < slack[other]:
                    slack[other], before[other] = cost, column
                if slack[other] < delta:
                    delta, nearest = slack[other], other
            for other in range(columns + 1):
                if done[other]:
                    row_potential[row_of[other]] += delta
                    column_potential[other] -= delta
                else:
                    slack[other] -= delta
            column = nearest
        while column:
            row_of[column], column = row_of[before[column]], before[column]
    return sum(scores[row_of[column] - 1][column - 1] for column in range(1, columns + 1) if row_of[column])


def _shared(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
