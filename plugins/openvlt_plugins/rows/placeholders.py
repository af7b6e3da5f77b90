"""The places of images in a text, which data sets mark in many spellings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from openvlt import PLACEHOLDER, Image, Reject

_SPELLINGS = re.compile(
    r"(?:<\|vision_start\|>)?<\|image_pad\|>(?:<\|vision_end\|>)?"  # Qwen2-VL
    r"|<(?P<bar>\|?)(?:image|img|picture|ImageHere)(?:[ _-]?(?P<number>\d{1,3}))?(?P=bar)/?>",
    re.IGNORECASE,
)
_LEADING = re.compile(rf"(?:\s*{PLACEHOLDER})+")


def placed(texts: Sequence[str], images: Sequence[Image]) -> tuple[list[str], tuple[Image, ...]]:
    """The texts with `PLACEHOLDER` for each image, and the images in the order of their places.

    Placeholders before everything else say nothing, since images come first anyway; they are removed. Numbers that do
    not name different images are words: a picture may contain several figures.

    Args:
        texts: the question and the choices. Placeholders have numbers, which name images from 1, or none.
        images: of the example.

    Raises:
        Reject: there are placeholders without numbers, but not one for each image.
    """
    found = [mark["number"] for text in texts for mark in _SPELLINGS.finditer(text)]
    if not found:
        return list(texts), tuple(images)
    order = [int(number) - 1 for number in found if number]
    if order and not (len(set(order)) == len(found) and 0 <= min(order) <= max(order) < len(images)):
        return list(texts), tuple(images)
    order = order or list(range(len(found)))
    if len(order) > len(images) or (not any(found) and len(order) < len(images)):
        raise Reject(f"{len(found)} image placeholders, {len(images)} images")
    unplaced = [index for index in range(len(images)) if index not in order]
    question, *choices = (_SPELLINGS.sub(PLACEHOLDER, text) for text in texts)
    question = PLACEHOLDER * len(unplaced) + question
    if (leading := _LEADING.match(question)) and leading.group().count(PLACEHOLDER) == len(images):
        question = question[leading.end() :]
    return [question.strip(), *choices], tuple(images[index] for index in (*unplaced, *order))
