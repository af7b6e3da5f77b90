"""What the made pairs of all families are made of."""

# fmt: off

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

Random: TypeAlias = random.Random
Made: TypeAlias = Iterator[tuple[str, str, bool] | tuple[str, str, bool, dict[str, Any]]]

NOUNS = [
    "apples", "red marbles", "students", "small tiles", "buses", "trees", "books on the shelf", "votes",
    "wooden sticks",
]
UNITS = [
    ("cm", "centimeters", "mm", 10), ("m", "metres", "cm", 100), ("kg", "kilograms", "g", 1000),
    ("km", "kilometers", "m", 1000), ("L", "liters", "mL", 1000), ("hours", "h", "minutes", 60),
    ("N", "newtons", "kN", None), ("s", "seconds", "ms", 1000),
]
LEAD_INS = [
    "{}", "{}.", " {} ", "The answer is {}", "The answer is {}.", "**{}**", "Answer: {}", "So the final answer is {}.",
    "Therefore, the answer is {}.", "The correct answer is {}", "答案是{}", "**Answer:** {}",
]
REMARKS = [
    "{} (see the figure)", "{}, because it follows from the figure",
    "{}\n\nExplanation: this follows from the figure.",
]
DENIALS = [
    "not {}", "anything but {}", "It is not {}", "{} is wrong", "{} isn't right", "everything except {}",
    "{} is false", "definitely not {}", "the wrong answer is {}", "{} is incorrect", "never {}", "不是{}",
]
SCALES = [
    "millions", "dozen", "dozens", "thousand", "hundreds", "decades", "billion", "lakh", "crore", "halves", "tenths",
    "percent off", "squared", "cubed", "doubled", "halved", "times as many", "too many", "less than that", "pairs",
    "kilo", "score", "factorial", "fold", "mod 2", "short of it", "or more", "or less", "at most", "and a half",
    "minus one", "plus one", "centuries",
]


def forms(gold: str, right: bool, said: Iterable[str], known: dict[str, Any] | None = None) -> Made:
    """Answers to one gold that are all right, or all wrong; `known` is what else the example states."""
    for each in said:
        yield gold, each, right, known or {}


def around(rng: Random, gold: str, same: str) -> Made:
    """A right answer with what may stand around it, and denials of it."""
    yield gold, rng.choice(LEAD_INS).format(same), True
    yield gold, rng.choice(REMARKS).format(same), True
    yield gold, rng.choice(DENIALS).format(same), False
