"""Rows of local files as examples."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from openvlt import DataError, Example, OpenvltError, Option, Reject, Rejected, Source, tables
from openvlt_plugins.rows import values
from openvlt_plugins.rows.held_out import held_out
from openvlt_plugins.rows.layouts import adapted, closest, layout_of
from openvlt_plugins.rows.placeholders import placed

ALIASES = {
    "id": ("id", "pid", "question_id", "problem_id", "sample_index"),
    "question": ("question", "problem", "query", "prompt", "instruction"),
    "answer": ("answer", "gold", "label", "gt_answer", "ground_truth"),
    "choices": ("choices", "options"),
    "images": (
        "images", "image", "decoded_image", "image_path", "image_paths", "image_file", "file_name", "filename", "img",
        "img_path", "picture", "figure", "photo",
    ),
    "answer_type": ("answer_type",),
    "precision": ("precision",),
    "unit": ("unit",),
}  # fmt: skip
"""The columns tried if an option names none; the first that is not empty counts."""
COUNTED = 5_000
"""Rows of which the questions are counted before they are loaded, so that a plan shows their number."""
SHOWN = 12
"""Columns that a message names."""


@dataclass(frozen=True)
class Rows(Source):
    """Reads JSON Lines, JSON (a list, or an object whose keys are ids), Parquet, TSV, CSV and Excel, row by row.

    Also Arrow, shards of WebDataset and folders of images. The layouts of other tools are recognised by their columns
    (`layouts`), unless the column of the question is named; one row of them may be several examples. With `held_out`
    the splits are ``train`` and ``test`` of the same rows (`held_out.held_out`).

    Unused columns become metadata; one that has an image is not overlooked but named in the reason of the rejected
    row. Images keep their places in questions and choices, which `<image>`, `<image_2>`, `<|image_pad|>` and the like
    mark; there must be one `<image>` per image, if any. An invalid row is rejected with its line number. The revision
    is a digest of the files with the rows, not of separate image files.
    """

    path: Annotated[
        str | tuple[str, ...],
        Option("a file, a folder of files or a pattern (*.jsonl), or several; {split} is replaced by the split's name"),
    ]
    id: Annotated[str | None, Option("column of the id; null for the usual names, else the line number")] = None
    question: Annotated[str | None, Option("column of the question; null for the usual names")] = None
    answer: Annotated[str | None, Option("column of the gold answer; null for the usual names")] = None
    choices: Annotated[str | None, Option("column of the choices; null for the usual names")] = None
    images: Annotated[str | None, Option("column of the image or images; null for the usual names, '' for none")] = None
    answer_type: Annotated[str | None, Option("column of the answer type; null for `answer_type`, '' for none")] = None
    precision: Annotated[str | None, Option("column of the decimals of a numeric answer; '' for none")] = None
    unit: Annotated[str | None, Option("column of the unit; '' for none")] = None
    answer_is_index: Annotated[bool, Option("the answer is the index of a choice, from 0")] = False
    image_folder: Annotated[
        str | None,
        # What it changes is in the revision.
        Option("folder that image paths are relative to and stay in; null for that of the rows", affects_output=False),
    ] = None

    held_out: Annotated[
        float, Ge(0), Option("share of the examples held out as the split test, or from 1 on their number; 0 for none")
    ] = 0.0
    seed: Annotated[int, Ge(0), Option("seed of what is held out")] = 0

    version: ClassVar[str] = "5"
    splits: ClassVar[tuple[str, ...]] = ("train", "dev", "validation", "test", "testmini")
    is_local: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for path in self._named:
            if "://" in path:
                raise DataError(
                    f"The source rows reads local files, but {path} is remote.", "Download it and give its path."
                )
            if self.held_out and "{split}" in path:
                raise DataError(
                    f"The source rows has both held_out and {{split}} in its path {path}.", "Remove one of them."
                )

    @property
    def _named(self) -> tuple[str, ...]:
        return (self.path,) if isinstance(self.path, str) else self.path

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        if not self.held_out:
            yield from self._all(split)
            return
        if split not in ("train", "test"):
            raise DataError(f"The source rows has no split '{split}' with held_out.", "Choose 'train' or 'test'.")
        items = (item for item in self._all("train") if isinstance(item, Example))
        chosen, position = held_out(items, self.held_out, self.seed), 0
        for item in self._all("train"):
            if isinstance(item, Rejected):
                if split == "train" or not chosen:  # where nothing is a question, either split says why
                    yield item
                continue
            if (position in chosen) == (split == "test"):
                yield item
            position += 1

    def size(self, split: str) -> int | None:
        """Counted where there are at most `COUNTED` rows, images read if a part of them is held out."""
        try:
            items = self._all("train" if self.held_out else split)
            found = Counter(isinstance(item, Example) for item in islice(items, COUNTED + 1))
            if found.total() > COUNTED:
                return None
            return sum(isinstance(item, Example) for item in self.examples(split)) if self.held_out else found[True]
        except OpenvltError:  # `examples` raises it, too
            return None

    def published_size(self, split: str) -> None:
        return None

    def understood(self, split: str, rows: int) -> Mapping[str, str]:
        found: dict[str, Counter[str]] = {name: Counter() for name in ("layout", *ALIASES, "unused")}
        for row in islice(self._rows(split), rows):
            if not self.question and (layout := layout_of(row)):
                found["layout"][layout.name] += 1
            for each in self._adapted(row):
                used = self._used(each)
                for name, column in used.items():
                    if column is not None:
                        found[name][column if column in row else "the layout's"] += 1
                found["unused"].update(each.keys() - set(used.values()))
        return {name: ", ".join(columns) for name, columns in found.items() if columns}

    def revision(self) -> str:
        splits = self.splits if any("{split}" in path for path in self._named) else ("train",)
        files = [
            file
            for split in splits
            for path in self._paths(split, must=len(splits) == 1)
            for file in tables.find_files(path)
        ]
        digest = tables.digest_files(files, names=True)
        return f"{digest}+{self.image_folder}" if self.image_folder else digest

    def _paths(self, split: str, *, must: bool = True) -> list[Path]:
        """The files and folders of a split."""
        found: list[Path] = []
        for named in self._named:
            if "{split}" not in named and split != "train":
                raise DataError(
                    f"The source rows has no split '{split}', since {named} has only 'train'.",
                    "Choose 'train', or write {split} in the path.",
                )
            path = os.path.expanduser(named.replace("{split}", split))
            matching = [] if os.path.exists(path) else sorted(glob.glob(path))
            if matching or must or os.path.exists(path):
                found += map(Path, matching or [path])
        return found

    def _files(self, split: str) -> Iterator[tuple[Path, Path]]:
        """The files of a split, each with the path it was found by."""
        for path in self._paths(split):
            for file in tables.find_files(path):
                yield path, file

    def _rows(self, split: str) -> Iterator[tables.TableRow]:
        for _, file in self._files(split):
            yield from (row for _, row in tables.read_table(file) if not isinstance(row, Rejected))

    def _all(self, split: str) -> Iterator[Example | Rejected]:
        files = list(self._files(split))
        names = Counter(file.name for _, file in files)
        for path, file in files:
            folders = tables.image_folders(path, file, self.image_folder)
            for position, row in tables.read_table(file):
                # Line 3 of train.jsonl is in two folders: without the folder its id would be a duplicate.
                id = position if names[file.name] == 1 else f"{file.parent.name}/{position}"
                yield from [row] if isinstance(row, Rejected) else self._examples(id, row, folders)

    def _examples(self, id: str, row: tables.TableRow, folders: Sequence[Path]) -> Iterator[Example | Rejected]:
        rows = self._adapted(row)
        for number, each in enumerate(rows, 1):
            own = id if len(rows) == 1 else f"{id}#{number}"
            try:
                yield self._read(own, each, folders)
            except Reject as reject:
                yield Rejected(id=own, reason=reject.reason)

    def _adapted(self, row: tables.TableRow) -> list[tables.TableRow]:
        """The row as it is, if a column of the question is named, else the rows of its layout."""
        return [row] if self.question else list(adapted(row))

    def _used(self, row: tables.TableRow) -> dict[str, str | None]:
        return {field: _column(row, getattr(self, field), names) for field, names in ALIASES.items()}

    def _read(self, id: str, row: tables.TableRow, folders: Sequence[Path]) -> Example:
        used = self._used(row)

        def cell(field: str) -> Any:
            column = used[field]
            return None if column is None else row[column]

        unused = {name: value for name, value in row.items() if name not in used.values()}
        if self.images is None and used["images"] is None:
            _require_no_image(unused)
        images = tables.images_of(cell("images"), *folders)
        choices = tables.choices_of(cell("choices"))
        (question, *shown), images = placed((_question(cell("question"), row), *choices), images)
        return Example(
            id=tables.text_of(cell("id")) or id,
            question=question,
            answer=values.answer(cell("answer"), choices, index=self.answer_is_index),
            images=images,
            choices=tuple(shown),
            answer_type=values.answer_type(cell("answer_type")),
            precision=tables.whole_number_of(cell("precision"), "precision"),
            unit=tables.text_of(cell("unit")) or None,
            metadata={name: values.plain(value) for name, value in unused.items()},
        )


def _column(row: tables.TableRow, named: str | None, usual: tuple[str, ...]) -> str | None:
    """The column of a field, None if there is none.

    Raises:
        Reject: the recipe names a column the row does not have.
    """
    if named == "":
        return None
    if named is not None:
        if named not in row:
            raise Reject(f"there is no column '{named}' among {', '.join(_nearest(named, row))}")
        return named
    return next((name for name in usual if row.get(name) not in (None, "", [])), None)


def _nearest(named: str, row: tables.TableRow) -> list[str]:
    """Names of a row's columns, the closest first."""
    alike = SequenceMatcher(b=named.lower())

    def likeness(name: str) -> float:
        alike.set_seq1(name.lower())
        return alike.ratio()

    return sorted(row, key=likeness, reverse=True)[:SHOWN]


def _require_no_image(unused: Mapping[str, Any]) -> None:
    """A picture that nobody looks at would make the question a blind one."""
    for name, value in unused.items():
        if what := values.media(value):
            raise Reject(f"the column '{name}' has {what}, which nothing reads; set images to its name, or to ''")


def _question(value: Any, row: tables.TableRow) -> str:
    if not isinstance(value, str) or not value.strip():
        like = closest(row)
        near = f"; the closest layout is {like}" if like else ""
        raise Reject(f"there is no question among the columns {', '.join(list(row)[:SHOWN])}{near}")
    return value.strip()
