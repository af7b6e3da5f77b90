"""Finds the question of a benchmark that a training row repeats, by its pictures and by its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openvlt.near_duplicates.hashes import HashIndex
from openvlt.near_duplicates.known import KnownPicture
from openvlt.near_duplicates.pictures import Outline, likeness, outlines
from openvlt.near_duplicates.wording import OVERLAP, Wordings
from openvlt.records import Example, Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

VERSION = "1"
"""Raised when other pairs are found, or a picture is hashed or packed in another way."""
WITHIN = 45
"""Bits of 143 by which hashes may differ that are looked at closely: 99 % of copies differ by less than 30, and 1 % of
other pictures by less than 45."""
MOST_LOOKED_AT = 8
"""Nearest hashes that are looked at closely."""
ALIKE = 0.92
"""Likeness from which two pictures are one: 99 % of copies have 0.95 or more, two tables of one layout 0.9 or less."""
ALIKE_IF_ASKED_THE_SAME = 0.8
"""Likeness that is enough if the questions are worded alike too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicate:
    """A training row and the question of a benchmark that it repeats.

    Attributes:
        id: of the training row.
        benchmark: its name.
        question: id in the benchmark.
        by: what repeats it: ``image``, ``image and question`` or ``question``.
        likeness: of the pictures (correlation), or the share of the question's n-grams.
        images: digests of the row's picture and of the benchmark's; empty if the words decided.
    """

    id: str
    benchmark: str
    question: str
    by: str
    likeness: float
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, and its number among the wordings."""

    benchmark: str
    id: str
    number: int


class NearDuplicates:
    """The questions of benchmarks: some 20 kB each, however many rows are compared with them.

    Args:
        read: decodes a stored image.
        known: what is known of one of a benchmark; by default it is hashed.
    """

    def __init__(self, read: Callable[[Image], Picture], known: Callable[[Image], KnownPicture] | None = None) -> None:
        self._read = read
        self._known = known or (lambda image: KnownPicture.of(read(image)))
        self._hashes, self._wordings = HashIndex(), Wordings()
        self._questions: list[_Asked] = []
        self._pictures: dict[str, list[_Asked]] = {}
        self._outlines: list[tuple[str, Outline]] = []

    def add(self, benchmark: str, examples: Iterable[Example]) -> None:
        """Add the questions of a benchmark.

        Raises:
            DataError: an image is damaged.
        """
        for example in examples:
            number = self._wordings.add(_worded(example), has_image=bool(example.images))
            asked = _Asked(benchmark, example.id, number)
            self._questions.append(asked)
            for image in example.images:
                if image.sha256 not in self._pictures:
                    self._pictures[image.sha256] = []
                    self._add_picture(image.sha256, self._known(image))
                self._pictures[image.sha256].append(asked)

    def _add_picture(self, sha256: str, known: KnownPicture) -> None:
        first = len(self._outlines)
        self._outlines += [(sha256, outline) for outline in known.outlines]
        for at, hash in known.hashes:
            self._hashes.add(hash, first + at)

    def find(self, example: Example) -> NearDuplicate | None:
        """The question that an example with stored images repeats, None if there is none; of several the likest.

        Raises:
            DataError: an image is damaged.
        """
        overlaps = self._wordings.overlaps(_worded(example))
        for image in example.images:
            if found := self._pictured(example, image, overlaps):
                return found
        for number, overlap in sorted(overlaps.items(), key=lambda each: (-each[1], each[0])):
            if overlap < OVERLAP:
                break
            if self._wordings.is_same(_worded(example), number, has_image=bool(example.images)):
                asked = self._questions[number]
                return NearDuplicate(
                    id=example.id, benchmark=asked.benchmark, question=asked.id, by="question", likeness=overlap
                )
        return None

    def _pictured(self, example: Example, image: Image, overlaps: Mapping[int, float]) -> NearDuplicate | None:
        """The question whose picture an image shows."""
        for sha256, alike in self._nearest(image):
            asked = max(self._pictures[sha256], key=lambda each: overlaps.get(each.number, 0))
            same = overlaps.get(asked.number, 0) >= OVERLAP
            if alike >= ALIKE or (same and alike >= ALIKE_IF_ASKED_THE_SAME):
                return NearDuplicate(
                    id=example.id, benchmark=asked.benchmark, question=asked.id, likeness=alike,
                    by="image and question" if same else "image", images=(image.sha256, sha256),
                )  # fmt: skip
        return None

    def _nearest(self, image: Image) -> list[tuple[str, float]]:
        """The digests of the pictures that are likest to an image, the likest first."""
        if not self._outlines:
            return []
        near: list[tuple[int, Outline, int]] = []
        for outline in outlines(self._read(image)):
            near += [(bits, outline, at) for at, bits in self._hashes.nearest(outline.hash, MOST_LOOKED_AT, WITHIN)]
        found: dict[str, float] = {}
        for _, outline, at in sorted(near, key=lambda each: (each[0], each[2]))[:MOST_LOOKED_AT]:
            sha256, other = self._outlines[at]
            alike = likeness(outline, other)
            found[sha256] = max(alike, found.get(sha256, 0.0))
            if alike >= ALIKE:
                break
        return sorted(found.items(), key=lambda each: -each[1])


def _worded(example: Example) -> str:
    return "\n".join([example.full_question, *example.choices])
