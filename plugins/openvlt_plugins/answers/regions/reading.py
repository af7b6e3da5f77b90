"""Reads boxes and points as models write them: JSON, brackets, or the tokens of Qwen-VL and InternVL."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeAlias

from openvlt_plugins.answers.grammar import TooLarge, Unreadable
from openvlt_plugins.answers.wording import without_lead_in, without_subject

Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""

GOLD_CHARACTERS = 20_000
REGIONS = 100
"""of an answer or a gold, as many as COCO's evaluation takes; the matching is cubic"""
LARGEST = 1e6
"""absolute value of a coordinate"""

_TOKENS = re.compile(r"<\|box_start\|>|<\|box_end\|>|</?box>")
_NAME = re.compile(r"<\|object_ref_start\|>[^<]{0,200}<\|object_ref_end\|>|<ref>[^<]{0,200}</ref>")
_ADJACENT = re.compile(r"(?<=[\]}])(?:,|;| and|, and)?\s{0,9}(?=[\[{])")
_FENCE = re.compile(r"```[A-Za-z]{0,10}\s(.*)```|`([^`]*)`|\$([^$]*)\$", re.DOTALL)
_LABEL = re.compile(
    r"(?:the )?(?:(?:final|predicted|target|bounding|bbox) )?(?:box|bbox|bbox_2d|point|point_2d|cent(?:er|re)"
    r"|coordinates?)(?:es|s)?(?: coordinates?)?(?: of [a-z]{1,20}(?: [a-z]{1,20}){0,3})?"
    r"(?: (?:is|are)(?: at)?|:| ?=)\s{0,9}",
    re.IGNORECASE,
)
_MARKED = re.compile(
    r'<points?((?: [xy]\d{0,3}="\s?-?[\d.]{1,20}"){2,200})(?: alt="[^"<>]{0,200}")?\s?>[^<>]{0,200}</points?>'
)
"""Points as Molmo writes them, in percent of the image."""
_NUMBERED = re.compile(r' x(\d{0,3})="([^"]*)" y\1="([^"]*)"')
_BRACKETS = str.maketrans("()'", '[]"')


def items(text: str) -> list[Any]:
    """The objects and lists of numbers that a text consists of, one for each region.

    Raises:
        Unreadable: there is anything else.
        TooLarge: there are more than `REGIONS`, or the nesting is too deep.
    """
    text = without_lead_in(text.strip()).strip()
    if fence := _FENCE.fullmatch(text):
        text = next(filter(None, fence.groups()), "").strip()
    text = _MARKED.sub(_pairs, text[_label_end(text) :])
    found = _json(text)
    if found is None:
        bare = _TOKENS.sub("", _NAME.sub("", text)).translate(_BRACKETS)
        bare = _ADJACENT.sub(",", without_subject(bare[:1].lower() + bare[1:])).strip(" \n.,;:")
        found = _json(bare)
        if found is None and bare:
            found = _json(f"[{bare}]")
    if isinstance(found, dict) or (isinstance(found, list) and found and all(map(_is_number, found))):
        return [found]
    if not isinstance(found, list) or not all(isinstance(item, dict | list) for item in found):
        raise Unreadable("it is not only boxes or points")
    if len(found) > 2 * REGIONS:
        raise TooLarge(f"more than {REGIONS} regions")
    return found


def boxes(found: list[Any], scale: Point) -> list[Box]:
    """The boxes that `items` found, with coordinates multiplied: four numbers, two corners, or ``bbox_2d``.

    Raises:
        Unreadable: an item is no box, or its corners are not the left top and the right bottom.
        TooLarge: there are more than `REGIONS`.
    """
    if len(found) % 2 == 0 and all(_is_pair(item) for item in found):
        found = [[*first, *second] for first, second in zip(found[::2], found[1::2], strict=True)]
    if len(found) > REGIONS:
        raise TooLarge(f"more than {REGIONS} boxes")
    return [_box(item, scale) for item in found]


def points(found: list[Any], scale: Point) -> list[Point]:
    """The points that `items` found, with coordinates multiplied: two numbers, or ``point_2d``.

    Raises:
        Unreadable: an item is no point.
        TooLarge: there are more than `REGIONS`.
    """
    if len(found) > REGIONS:
        raise TooLarge(f"more than {REGIONS} points")
    read = [point(item.get("point_2d") if isinstance(item, dict) else item) for item in found]
    return [(x * scale[0], y * scale[1]) for x, y in read]


def point(item: Any) -> Point:
    """A point of two numbers.

    Raises:
        Unreadable: it is something else.
    """
    if not _is_pair(item):
        raise Unreadable(f"{str(item)[:80]} is not a point")
    return float(item[0]), float(item[1])


def number(item: Any) -> float:
    """A finite number within the limits.

    Raises:
        Unreadable: it is something else.
    """
    if not _is_number(item):
        raise Unreadable(f"{str(item)[:80]} is not a number")
    return float(item)


def _label_end(text: str) -> int:
    found = _LABEL.match(text)
    return found.end() if found else 0


def _pairs(marked: re.Match[str]) -> str:
    """The coordinates in the attributes of a tag, as pairs; the tag itself if some have no partner."""
    found = _NUMBERED.findall(marked[1])
    whole = 2 * len(found) == marked[1].count("=")
    return ", ".join(f"[{x}, {y}]" for _, x, y in found) if whole else marked[0]


def _box(item: Any, scale: Point) -> Box:
    item = item.get("bbox_2d") if isinstance(item, dict) else item
    if not (isinstance(item, list) and len(item) == 4 and all(map(_is_number, item))):
        raise Unreadable(f"{str(item)[:80]} is not a box")
    left, top, right, bottom = map(float, item)
    if left >= right or top >= bottom or (right - left) * (bottom - top) == 0:  # a product of tiny numbers is 0
        raise Unreadable(f"{str(item)[:80]} is not left, top, right, bottom")
    return left * scale[0], top * scale[1], right * scale[0], bottom * scale[1]


def _json(text: str) -> Any:
    """The value of a text in JSON, None if it is not JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return None
    except RecursionError:
        raise TooLarge("nested too deep") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _is_number(item: Any) -> bool:
    return type(item) in (int, float) and abs(item) <= LARGEST


def _is_pair(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 2 and all(map(_is_number, item))
