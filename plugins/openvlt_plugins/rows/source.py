"""Rows of local files, or of a dataset on the hub, as examples."""

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
from openvlt_plugins.rows import values, vqa
from openvlt_plugins.rows.held_out import held_out, templates
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
    ] = ()
    dataset: Annotated[str, Option("hub id, instead of a path")] = ""
    configs: Annotated[tuple[str, ...], Option("configurations of the dataset, in order")] = ()
    hub_revision: Annotated[str | None, Option("commit or tag on the hub")] = None
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
    held_out_of: Annotated[str, Option("split of the dataset that held_out divides")] = "train"
    seed: Annotated[int, Ge(0), Option("seed of what is held out")] = 0

    version: ClassVar[str] = "5"
    splits: ClassVar[tuple[str, ...]] = ("train", "dev", "validation", "test", "testmini")

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.dataset):
            raise DataError("The source rows needs either a path or a dataset.", "Set one of the two options.")
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
    def is_local(self) -> bool:  # type: ignore[override]
        return not self.dataset

    @property
    def _named(self) -> tuple[str, ...]:
        return (self.path,) if isinstance(self.path, str) else self.path

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        if not self.held_out:
            yield from self._all(split)
            return
        if split not in ("train", "test"):
            raise DataError(f"The source rows has no split '{split}' with held_out.", "Choose 'train' or 'test'.")
        items = (item for item in self._all(self.held_out_of) if isinstance(item, Example))
        chosen, position = held_out(items, self.held_out, self.seed), 0
        for item in self._all(self.held_out_of):
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
        for _, row, _ in islice(self._rows(split), rows):
            if isinstance(row, Rejected):
                continue
            if not self.question and (layout := layout_of(row)):
                found["layout"][layout.name] += 1
            for each in self._adapted(row):
                used = self._used(each)
                for name, column in used.items():
                    if column is not None:
                        found[name][column if column in row else "the layout's"] += 1
                found["unused"].update(each.keys() - set(used.values()))
        columns = {name: ", ".join(names) for name, names in found.items() if names}
        asked = templates(item for item in islice(self._all(split), rows) if isinstance(item, Example))
        if asked:
            columns["recurring"] = f"{len(asked)}, such as {asked[0]!r}: with different images it may be on both sides"
        return columns

    def revision(self) -> str:
        images = f"+{self.image_folder}" if self.image_folder else ""
        if self.dataset:
            return f"{self.dataset}@{self.hub_revision or 'main'}{images}"
        splits = self.splits if any("{split}" in path for path in self._named) else ("train",)
        files = [
            file
            for split in splits
            for path in self._paths(split, must=len(splits) == 1)
            for file in tables.find_files(path)
        ]
        return tables.digest_files(files, names=True) + images

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

    def _rows(self, split: str) -> Iterator[tuple[str, tables.TableRow | Rejected, Sequence[Path]]]:
        """The rows with their ids, and the folders of `tables.images_of`."""
        if self.dataset:
            cached = [Path(self.image_folder)] if self.image_folder else tables.hub_folders(self.dataset)
            for number, row in enumerate(tables.hub_rows(self.dataset, self.configs, split, self.hub_revision), 1):
                yield f"{split}:{number}", row, cached
            return
        found = [(path, file) for path in self._paths(split) for file in tables.find_files(path)]
        annotations = [file for _, file in found if vqa.is_annotations(file)]
        files = [each for each in found if each[1] not in annotations] or found
        golds = vqa.answers(annotations)
        names = Counter(file.name for _, file in files)
        for path, file in files:
            folders = tables.image_folders(path, file, self.image_folder)
            for position, each in vqa.answered(tables.read_table(file), golds):
                # Line 3 of train.jsonl is in two folders: without the folder its id would be a duplicate.
                yield position if names[file.name] == 1 else f"{file.parent.name}/{position}", each, folders

    def _all(self, split: str) -> Iterator[Example | Rejected]:
        for id, row, folders in self._rows(split):
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
