"""One or several points: in a region, or near a point."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Annotated, Any, TypeAlias

from annotated_types import Gt

from openvlt import Option
from openvlt_plugins.answers.grammar import Unreadable
from openvlt_plugins.answers.regions.overlap import best_total
from openvlt_plugins.answers.regions.reading import Point as Position, boxes, number, point, points
from openvlt_plugins.answers.regions.verifier import RegionVerifier

Region: TypeAlias = tuple[tuple[Position, ...], float]
"""A polygon by its corners, and 0; or the centre of a disc, and its radius."""


@dataclass(frozen=True)
class Point(RegionVerifier):
    """One or several points, each in a region of the gold.

    The answer is ``{"point_2d": [x, y]}``, ``[x, y]`` or ``(x, y)``, or several. The gold is one or several boxes
    (``[x1, y1, x2, y2]``, ``{"bbox_2d": ...}``), outlines of masks (``{"polygon": [[x, y], ...]}``) or points
    (``[x, y]``, ``{"point_2d": ...}``), which need a distance: the option, or ``"radius"`` in the gold. Borders belong
    to their region. The score is the number of points in regions, matched one to one, divided by the number of points
    or regions, whichever is larger. Refuses an answer with anything but points, or with over 100.
    """

    distance: Annotated[
        float | None,
        Gt(0),
        Option("from a gold point, in its coordinates; null if the golds are regions or have a radius"),
    ] = None

    def regions(self, found: list[Any], scale: Position) -> list[Any]:
        return points(found, scale)

    def gold_regions(self, found: list[Any]) -> list[Any]:
        return [self._region(item) for item in found]

    def score(self, golds: list[Any], given: list[Any]) -> float:
        inside = [[float(_contains(region, position)) for position in given] for region in golds]
        return best_total(inside) / max(len(golds), len(given))

    def _region(self, item: Any) -> Region:
        fields = item if isinstance(item, dict) else {"point_2d" if len(item) == 2 else "bbox_2d": item}
        if "point_2d" in fields:
            radius = number(fields.get("radius", self.distance))
            if radius <= 0:
                raise Unreadable("a radius must be over 0")
            return (point(fields["point_2d"]),), radius
        if "polygon" in fields:
            return _outline(fields["polygon"]), 0.0
        ((left, top, right, bottom),) = boxes([fields], (1.0, 1.0))
        return ((left, top), (right, top), (right, bottom), (left, bottom)), 0.0


def _outline(corners: Any) -> tuple[Position, ...]:
    found = tuple(point(corner) for corner in corners) if isinstance(corners, list) else ()
    edges = zip(found, found[1:] + found[:1], strict=True)
    if not sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in edges):
        raise Unreadable("a polygon without an area")
    return found


def _contains(region: Region, position: Position) -> bool:
    """True if a position is in a region or on its border; for a polygon by the even-odd rule."""
    corners, radius = region
    x, y = position
    if radius:
        return hypot(x - corners[0][0], y - corners[0][1]) <= radius
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        if side == 0 and min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2):
            return True
        if (y1 > y) != (y2 > y) and (side > 0) == (y2 > y1):
            inside = not inside
    return inside
