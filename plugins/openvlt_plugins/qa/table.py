"""Examples from the rows of a table, on the hub or on disk, by column name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge

from openvlt import DataError, Example, Option, Reject, Rejected, Source, UsageError, tables
from openvlt_plugins.qa.cells import cell, columns_of, has, listed, split_choices

FIELDS = ("id", "question", "answer", "choices", "answer_type", "precision", "unit")


@dataclass(frozen=True)
class Table(Source):
    """Rows of a hub dataset, or of a local file or folder with the dataset's own columns.

    A column is given by its name; ``a|b`` is the first one that exists, ``metadata.task`` a key of a mapping,
    ``answers.0`` an item of a list, ``{a}/{b}`` joins two columns, ``A-Z`` is the list of the columns A, B, C ..., and
    ``unit?`` may be missing. If a rule of `golds` rewrites a gold answer, ``metadata["gold"]`` keeps the published one.
    """

    columns: Annotated[Mapping[str, str], Option("field of an example to column: " + ", ".join(FIELDS))]
    dataset: Annotated[str, Option("hub id")] = ""
    configs: Annotated[tuple[str, ...], Option("configurations of the dataset, in order")] = ()
    hub_revision: Annotated[str | None, Option("commit or tag on the hub")] = None
    path: Annotated[str, Option("local file or folder, instead of the hub", affects_output=False)] = ""
    sizes: Annotated[Mapping[str, Annotated[int, Ge(0)]], Option("split to number of rows")] = field(
        default_factory=dict
    )
    unlabelled: Annotated[tuple[str, ...], Option("splits whose answers are not public")] = ()
    parts: Annotated[Mapping[str, str], Option("column to a pattern, whose named groups become columns if missing")] = (
        field(default_factory=dict)
    )
    choice_pattern: Annotated[
        str, Option("pattern of a choice in the text of the column choices, its letter as group 1, its content as 2")
    ] = ""
    images: Annotated[tuple[str, ...], Option("columns of the images, in order")] = ()
    image_folder: Annotated[
        str | None,
        # What it changes is in the revision.
        Option("folder that image paths are relative to and stay in; null for that of the rows", affects_output=False),
    ] = None
    metadata: Annotated[Mapping[str, str], Option("metadata key to column")] = field(default_factory=dict)
    answer_types: Annotated[Mapping[str, str], Option("value of the column answer_type to answer type")] = field(
        default_factory=dict
    )
    golds: Annotated[Mapping[str, str], Option("pattern to replacement, for known errors in gold answers")] = field(
        default_factory=dict
    )
    gold_is: Annotated[
        Literal["text", "letter", "index"],
        Option("what the gold answer to a question with choices is; a letter or an index from 0 becomes the content"),
    ] = "text"
    decimals: Annotated[str, Option("metadata key for the number of decimals of a gold that is a number")] = ""
    licence: Annotated[str, Option("licence of the data", affects_output=False)] = ""  # type: ignore[misc]
    note: Annotated[str, Option("remark on the data for readers of the score", affects_output=False)] = ""

    version: ClassVar[str] = "3"

    def __post_init__(self) -> None:
        if self.choice_pattern and re.compile(self.choice_pattern).groups != 2:
            raise UsageError(
                "The pattern of a choice needs two groups.",
                "Let the first be the letter, the second the content.",
                "choice_pattern",
            )

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self.sizes)

    @property
    def is_local(self) -> bool:  # type: ignore[override]
        return bool(self.path)

    def size(self, split: str) -> int | None:
        return None if self.path else self.sizes.get(split)

    def published_size(self, split: str) -> int | None:
        return self.sizes.get(split)

    def revision(self) -> str:
        images = f"+{self.image_folder}" if self.image_folder else ""
        if not self.path:
            return f"{self.dataset}@{self.hub_revision or 'main'}{images}"
        files = dict.fromkeys(file for split in self.sizes or ("",) for file in self._files(split))
        return f"sha256:{tables.digest_files(list(files))}{images}"

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        for number, (read, folders) in enumerate(self._rows(split)):
            row = self._with_parts(read)
            if number == 0:
                self._check(row)
            yield self._example(row, folders, number, split)

    def id_of(self, row: tables.TableRow) -> str:
        row, column = self._with_parts(row), self.columns.get("id", "")
        return tables.text_of(cell(row, column)) if has(row, column) else ""

    def _rows(self, split: str) -> Iterator[tuple[tables.TableRow, Sequence[Path]]]:
        """Rows, and the folders of `tables.images_of`."""
        if self.path:
            for file in self._files(split):
                folders = tables.image_folders(Path(self.path), file, self.image_folder)
                yield from ((row, folders) for row in tables.read_rows(file))
            return
        cached = [Path(self.image_folder)] if self.image_folder else tables.hub_folders(self.dataset)
        rows = tables.hub_rows(self.dataset, self.configs, split, self.hub_revision, self.sizes.get(split))
        yield from ((row, cached) for row in rows)

    def _with_parts(self, row: tables.TableRow) -> tables.TableRow:
        found: dict[str, Any] = {}
        for column, pattern in self.parts.items():
            if match := re.fullmatch(pattern, tables.text_of(row.get(column))):
                found |= match.groupdict()
        return {**found, **row}

    def _files(self, split: str) -> list[Path]:
        names = tuple(filter(None, (split, *self.configs, *self.sizes)))
        return tables.find_files(Path(self.path), names, self.configs)

    def _check(self, row: tables.TableRow) -> None:
        columns = (*self.columns.values(), *self.metadata.values())
        absent = [column for column in columns if not column.endswith("?") and not has(row, column)]
        wanted = [name for column in absent for name in columns_of(column)]
        missing = [name for name in dict.fromkeys(wanted) if not has(row, name)]
        if missing:
            raise DataError(
                f"The data '{self.path or self.dataset}' lacks the columns {', '.join(missing)}.",
                f"It has {', '.join(row)}.",
            )

    def _example(self, row: tables.TableRow, folders: Sequence[Path], number: int, split: str) -> Example | Rejected:
        values = {name: cell(row, self.columns.get(name, "")) for name in FIELDS}
        id = tables.text_of(values["id"]) or f"row {number + 1}"
        try:
            choices = self._choices(values["choices"])
            answer = tables.text_of(values["answer"])
            gold = self._gold(answer, choices)
            precision = tables.whole_number_of(values["precision"], "precision")
            images = tuple(image for column in self.images for image in tables.images_of(cell(row, column), *folders))
        except Reject as reject:
            return Rejected(id=id, reason=reject.reason)
        metadata = {key: listed(cell(row, column)) for key, column in self.metadata.items()}
        if not gold and split in self.unlabelled:
            metadata["unlabelled"] = True
        if gold != answer:
            metadata["gold"] = answer
        if self.decimals and (decimal := re.fullmatch(r"[-+]?[\d,]*\d(?:\.(\d+))?", gold)):
            metadata[self.decimals] = len(decimal[1] or "")
        return Example(
            id=id,
            question=tables.text_of(values["question"]),
            answer=gold,
            images=images,
            choices=choices,
            answer_type=self._type(tables.text_of(values["answer_type"]), choices),
            precision=precision,
            unit=tables.text_of(values["unit"]) or None,
            metadata=metadata,
        )

    def _choices(self, value: Any) -> tuple[str, ...]:
        """Raises `Reject` if the cell has choices that cannot be read."""
        if self.choice_pattern and isinstance(value, str):
            return tuple(split_choices(self.choice_pattern, value))
        return tables.choices_of(value)

    def _gold(self, answer: str, choices: tuple[str, ...]) -> str:
        """Raises `Reject` if the gold is an index beyond the choices."""
        for pattern, replacement in self.golds.items():
            answer = re.sub(pattern, replacement, answer)
        if self.gold_is == "letter" and choices and re.fullmatch("[A-Z]", answer) and ord(answer) - 65 < len(choices):
            return choices[ord(answer) - 65]
        if self.gold_is == "index" and choices and answer:
            index = tables.whole_number_of(answer, "the gold")
            if index is None or not 0 <= index < len(choices):
                raise Reject("the gold is the index of no choice")
            return choices[index]
        return answer

    def _type(self, name: str, choices: tuple[str, ...]) -> Any:
        return self.answer_types.get(name) or ("choice" if choices else None)
