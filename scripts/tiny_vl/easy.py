"""easy-VQA for the tiny base model's scripts: questions, contents of images, balanced draws.

easy-VQA has no labels except its questions, so colour and shape of an image are inferred from its questions and answers;
the position is measured in the pixels. The last 400 training images (ids 3600 to 3999) are the dev split, on which
nothing is trained.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import easy_vqa
import numpy as np
from PIL import Image

Split = Literal["train", "dev", "test"]

COLOURS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
SHAPES = ("circle", "rectangle", "triangle")
ANSWERS = frozenset((*COLOURS, *SHAPES, "yes", "no"))
FIRST_DEV_IMAGE = 3600
DATA = Path(easy_vqa.__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one image, with the answer easy-VQA gives."""

    text: str
    answer: str
    split: Split
    image: int

    @property
    def category(self) -> str:
        """`shape`, `colour`, `yes` or `no`, by the answer."""
        if self.answer in SHAPES:
            return "shape"
        return "colour" if self.answer in COLOURS else self.answer

    @property
    def negated(self) -> bool:
        """Whether it asks for an absence (`is there not ...`, `is no ... present?`)."""
        return " not " in self.text or " no " in self.text


@dataclass(frozen=True, slots=True)
class Scene:
    """The contents of an image; colour and shape are None if no question reveals them."""

    colour: str | None
    shape: str | None
    position: str


def folder(split: Split) -> Path:
    """The folder of a split's files; dev is part of the train folder."""
    return DATA / ("test" if split == "test" else "train")


def picture(split: Split, image: int) -> Image.Image:
    """The 64 x 64 RGB image with this id."""
    with Image.open(folder(split) / "images" / f"{image}.png") as opened:
        return opened.convert("RGB")


@cache
def questions(split: Split) -> tuple[Question, ...]:
    """All questions of a split, in the order of the file."""
    rows = json.loads((folder(split) / "questions.json").read_text())
    in_dev = split == "dev"
    return tuple(
        Question(text, answer, split, image)
        for text, answer, image in rows
        if split == "test" or (image >= FIRST_DEV_IMAGE) == in_dev
    )


@cache
def scenes(split: Split) -> dict[int, Scene]:
    """The contents of every image of a split, by image id."""
    by_image: defaultdict[int, list[Question]] = defaultdict(list)
    for question in questions(split):
        by_image[question.image].append(question)
    return {
        image: Scene(_read_off(about, COLOURS), _read_off(about, SHAPES), position(picture(split, image)))
        for image, about in by_image.items()
    }


def _read_off(about: Iterable[Question], words: tuple[str, ...]) -> str | None:
    """The one of `words` that the questions on an image reveal, or None."""
    possible = set(words)
    for question in about:
        if question.answer in possible:
            return question.answer
        named = next((word for word in words if f" {word}" in question.text), None)
        if named is None:
            continue
        if question.answer not in ("yes", "no") or (question.answer == "yes") != question.negated:
            return named
        possible.discard(named)
    return possible.pop() if len(possible) == 1 else None


def position(image: Image.Image) -> str:
    """The position of the shape, in thirds of the image: `in the upper left`, `at the top`, `in the middle`, ..."""
    pixels = np.asarray(image).astype(int)
    # The background is one light colour; a corner is part of the shape only if the shape touches it.
    corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
    background = np.median(corners, axis=0)
    ys, xs = np.nonzero(np.abs(pixels - background).sum(axis=-1) > 40)
    return name_position((xs.min() + xs.max()) / 2 / len(pixels), (ys.min() + ys.max()) / 2 / len(pixels))


def name_position(x: float, y: float) -> str:
    """The words for a centre, given as shares of the image's width and height."""
    column, row = int(min(x, 0.999) * 3), int(min(y, 0.999) * 3)
    if column == 1:
        return ("at the top", "in the middle", "at the bottom")[row]
    side = "left" if column == 0 else "right"
    return f"on the {side}" if row == 1 else f"in the {('upper', '', 'lower')[row]} {side}"


def caption(question: Question) -> str | None:
    """The caption of a question's image; None if colour or shape is unknown."""
    scene = scenes(question.split)[question.image]
    return describe(scene.colour, scene.shape, scene.position) if scene.colour and scene.shape else None


def describe(colour: str, shape: str, where: str) -> str:
    """The caption of an image, in the words that the base model learns."""
    return f"A {colour} {shape} {where}."


def balanced(split: Split, size: int, seed: int) -> list[Question]:
    """Draws questions, a third each of shape, colour and yes/no (yes and no equally often), one per image.

    Args:
        split: where to draw from.
        size: number of questions, at most the number of images.
        seed: of the draw.
    """
    each = size // 6
    # Every image has yes/no questions, but not every one has the others, so the scarce categories choose first.
    wanted = {"shape": 2 * each, "colour": 2 * each, "yes": each, "no": size - 5 * each}
    pool = sorted(shuffled(split, seed), key=lambda question: list(wanted).index(question.category))
    return draw(pool, wanted)


def shuffled(split: Split, seed: int) -> list[Question]:
    """All questions of a split in random order."""
    pool = list(questions(split))
    random.Random(seed).shuffle(pool)
    return pool


def draw(pool: Iterable[Question], wanted: dict[str, int]) -> list[Question]:
    """Takes questions in order, up to the wanted number of each category and one per image."""
    left, used, drawn = dict(wanted), set[int](), list[Question]()
    for question in pool:
        if left[question.category] and question.image not in used:
            left[question.category] -= 1
            used.add(question.image)
            drawn.append(question)
    return drawn


def blind_answers() -> dict[str, str]:
    """The most frequent answer to each question text in the train split, without the image."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for question in questions("train"):
        counts[question.text][question.answer] += 1
    return {text: counter.most_common(1)[0][0] for text, counter in counts.items()}
