"""Rows of local files as examples."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from openvlt import DataError, Example, Option, Reject, Rejected, Source, tables
from openvlt_plugins.rows import values
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


@dataclass(frozen=True)
class Rows(Source):
    """Reads JSON Lines, JSON (a list, or an object whose keys are ids), Parquet, TSV, CSV and Excel, row by row.

    Unused columns become metadata; one that has an image is not overlooked but named in the reason of the rejected
    row. Images keep their places in questions and choices, which `<image>`, `<image_2>`, `<|image_pad|>` and the like
    mark; there must be one `<image>` per image, if any. An invalid row is rejected with its line number. The revision
    is a digest of the files with the rows, not of separate image files.
    """

    path: Annotated[str, Option("a file or a folder of files; {split} is replaced by the name of the split")]
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

    version: ClassVar[str] = "3"
    splits: ClassVar[tuple[str, ...]] = ("train", "dev", "validation", "test", "testmini")
    is_local: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if "://" in self.path:
            raise DataError(
                f"The source rows reads local files, but {self.path} is remote.", "Download it and give its path."
            )

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        path = self._path(split)
        for file in tables.find_files(path):
            folders = tables.image_folders(path, file, self.image_folder)
            for id, row in tables.read_table(file):
                yield row if isinstance(row, Rejected) else self._example(id, row, folders)

    def revision(self) -> str:
        paths = [Path(self.path)]
        if "{split}" in self.path:
            paths = [path for split in self.splits if os.path.exists(path := Path(self.path.replace("{split}", split)))]
        digest = tables.digest_files([file for path in paths for file in tables.find_files(path)], names=True)
        return f"{digest}+{self.image_folder}" if self.image_folder else digest

    def _path(self, split: str) -> Path:
        if "{split}" not in self.path and split != "train":
            raise DataError(
                f"The source rows has no split '{split}', since {self.path} has only 'train'.",
                "Choose 'train', or write {split} in the path.",
            )
        return Path(self.path.replace("{split}", split))

    def _example(self, id: str, row: tables.TableRow, folders: Sequence[Path]) -> Example | Rejected:
        try:
            return self._read(id, row, folders)
        except Reject as reject:
            return Rejected(id=id, reason=reject.reason)

    def _read(self, id: str, row: tables.TableRow, folders: Sequence[Path]) -> Example:
        used = {field: _column(row, getattr(self, field), names) for field, names in ALIASES.items()}

        def cell(field: str) -> Any:
            column = used[field]
            return None if column is None else row[column]

        unused = {name: value for name, value in row.items() if name not in used.values()}
        if self.images is None and used["images"] is None:
            _require_no_image(unused)
        images = tables.images_of(cell("images"), *folders)
        choices = tables.choices_of(cell("choices"))
        (question, *shown), images = placed((_question(cell("question")), *choices), images)
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
            raise Reject(f"there is no column '{named}'")
        return named
    return next((name for name in usual if row.get(name) not in (None, "", [])), None)


def _require_no_image(unused: Mapping[str, Any]) -> None:
    """A picture that nobody looks at would make the question a blind one."""
    for name, value in unused.items():
        if what := values.media(value):
            raise Reject(f"the column '{name}' has {what}, which nothing reads; set images to its name, or to ''")


def _question(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Reject("there is no question")
    return value.strip()
