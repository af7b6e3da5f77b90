"""Labelled boxes, by average precision."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any, Literal

from openvlt import Option
from openvlt_plugins.answers.grammar import Unreadable
from openvlt_plugins.answers.regions.overlap import iou
from openvlt_plugins.answers.regions.reading import Point, boxes
from openvlt_plugins.answers.regions.verifier import RegionVerifier
from openvlt_plugins.answers.wording import folded


@dataclass(frozen=True)
class Detection(RegionVerifier):
    """Labelled boxes, by COCO's average precision within the image.

    Gold and answer are lists of ``{"bbox_2d": [x1, y1, x2, y2], "label": "cat"}``; ``[]`` is no object. The order of
    the answer is its ranking, since models write no confidences. As in pycocotools (COCOeval): at an IoU threshold each
    box takes the free gold of its label that it overlaps most; AP is the mean, over the recalls 0, .01, ..., 1, of the
    largest precision at that recall or a higher one; the score is the mean AP over the gold's labels and the
    thresholds. COCO does not punish boxes ranked last and labels the gold lacks, so the score is multiplied by
    ``min(1, golds / boxes)``, as in VLM-R1 (arXiv 2504.07615), unless `penalise_extra` is off.
    """

    metric: Annotated[Literal["AP50", "mAP"], Option("at an IoU of .50; or the mean over .50, .55, ..., .95")] = "mAP"
    penalise_extra: Annotated[bool, Option("multiply by golds / boxes where there are more boxes than golds")] = True

    def regions(self, found: list[Any], scale: Point) -> list[Any]:
        labels = [_label(item) for item in found]
        return list(zip(labels, boxes(found, scale), strict=True))

    def score(self, golds: list[Any], given: list[Any]) -> float:
        if not golds:
            return 0.0
        percents = (50,) if self.metric == "AP50" else range(50, 100, 5)
        sums = []
        for wanted in sorted({label for label, _ in golds}):
            gold = [box for label, box in golds if label == wanted]
            overlaps = [[iou(box, one) for one in gold] for label, box in given if label == wanted]
            sums += [_average_precision(_hits(overlaps, percent / 100), len(gold)) for percent in percents]
        factor = min(1.0, len(golds) / len(given)) if self.penalise_extra and given else 1.0
        return sum(sums) / len(sums) * factor


def _label(item: Any) -> str:
    if not isinstance(item, dict) or not isinstance(label := item.get("label"), str) or not label.strip():
        raise Unreadable(f"{str(item)[:80]} has no label")
    return folded(label)


def _hits(overlaps: list[list[float]], threshold: float) -> list[bool]:
    """Whether each box, in its order, takes a gold."""
    taken, hits = set[int](), []
    for row in overlaps:
        free = [(value, gold) for gold, value in enumerate(row) if value >= threshold and gold not in taken]
        hits.append(bool(free))
        taken |= {max(free)[1]} if free else set()
    return hits


def _average_precision(hits: list[bool], golds: int) -> float:
    """The mean, over 101 recalls, of the largest precision at that recall or a higher one."""
    precisions = [found / rank for rank, found in enumerate(accumulate(hits), start=1) if hits[rank - 1]]
    best = list(accumulate(reversed(precisions), max))[::-1]
    # the recalls up to the nth hit, and not up to the one before it; recall 0 is the first's
    counts = [100 * (hit + 1) // golds - 100 * hit // golds + (hit == 0) for hit in range(len(best))]
    return sum(value * count for value, count in zip(best, counts, strict=True)) / 101
