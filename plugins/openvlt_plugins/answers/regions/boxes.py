"""One or several boxes, by their overlap with the gold's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Interval

from openvlt import Option
from openvlt_plugins.answers.regions.overlap import best_total, giou, iou
from openvlt_plugins.answers.regions.reading import Box as Corners, Point, boxes
from openvlt_plugins.answers.regions.verifier import RegionVerifier


@dataclass(frozen=True)
class Box(RegionVerifier):
    """One or several boxes, by their overlap with the gold's.

    Gold and answer are ``{"bbox_2d": [x1, y1, x2, y2]}``, ``[x1, y1, x2, y2]``, ``(x1,y1),(x2,y2)`` with or without
    Qwen-VL's ``<|box_start|>``, or several of them, as a list or in a JSON fence; ``[]`` is no box. A pair counts 1
    from the threshold on, else 0; without a threshold, its overlap. The score is the sum over the best one-to-one
    matching, divided by the larger number of boxes, so that a missing box costs as much as a superfluous one. With
    ``giou`` and no threshold, boxes that do not overlap earn something, and the whole image earns half or more.

    Refuses an answer with a box that has no area or inverted corners, other numbers, or over 100 boxes.
    """

    threshold: Annotated[
        float | None, Interval(gt=0, le=1), Option("overlap from which a box is right; null scores the overlap itself")
    ] = 0.5
    overlap: Annotated[
        Literal["iou", "giou"], Option("intersection over union; or generalised, scored as (1 + GIoU) / 2")
    ] = "iou"

    def regions(self, found: list[Any], scale: Point) -> list[Any]:
        return boxes(found, scale)

    def score(self, golds: list[Any], given: list[Any]) -> float:
        return best_total([[self._pair(a, b) for b in given] for a in golds]) / max(len(golds), len(given))

    def _pair(self, a: Corners, b: Corners) -> float:
        found = iou(a, b) if self.overlap == "iou" else giou(a, b)
        if self.threshold is not None:
            return float(found >= self.threshold)
        return found if self.overlap == "iou" else (1 + found) / 2
