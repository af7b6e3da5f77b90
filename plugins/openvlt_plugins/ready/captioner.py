"""The captioner that looks captions up."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from openvlt import DataError, Example, ImageReader, Option, ProgramCaptioner, Rejected, tables


@dataclass(frozen=True)
class Ready(ProgramCaptioner):
    """Takes the caption of an example from a column of its row, or from files with one caption a row.

    A row of the files names an example by its id, or an image by the sha256 digest (hex) of its file; of an example
    with several images each needs a caption. Files have any format that `rows` reads. Cells that are no text become
    JSON. Of a file only the captions, and what they are of, are part of the identity.
    """

    column: Annotated[str, Option("column of the caption, in the rows (one used for nothing else) or files")] = (
        "caption"
    )
    path: Annotated[str | None, Option("a file of captions or a folder of them; null for a column of the rows")] = None
    id: Annotated[str, Option("column of the files with the example's id, or the image's digest")] = "id"

    def subject(self, example: Example) -> Any:
        if self.path is None:
            return _text(example.metadata.get(self.column))
        return [example.id, [image.sha256 for image in example.images]]

    @contextmanager
    def open(self, read: ImageReader) -> Iterator[Callable[[Any], str | None]]:
        known = self._captions()

        def look_up(subject: Any) -> str | None:
            id, digests = subject
            if id in known:
                return known[id]
            found = [known[digest] for digest in digests if digest in known]
            return "\n\n".join(found) if len(found) == len(digests) else None

        yield look_up if self.path is not None else lambda text: text

    def revision(self) -> str:
        return hashlib.sha256(json.dumps(sorted(self._captions().items())).encode()).hexdigest() if self.path else ""

    def _captions(self) -> dict[str, str]:
        """The captions of the files; empty ones are none.

        Raises:
            DataError: a file or a row cannot be read, a column is not there, or something has two captions.
        """
        known: dict[str, str] = {}
        files = tables.find_files(Path(os.path.expanduser(self.path))) if self.path else []
        for file in files:
            for position, row in tables.read_table(file):
                if isinstance(row, Rejected):
                    raise DataError(f"{file.with_name(position)}: this line is {row.reason}.", "Fix or remove it.")
                if missing := [name for name in (self.id, self.column) if name not in row]:
                    raise DataError(
                        f"{file.with_name(position)} has no column '{missing[0]}'; it has {', '.join(row)}.",
                        "Name the columns in the captioner's options id and column.",
                    )
                id, caption = tables.text_of(row[self.id]), _text(row[self.column])
                if caption and known.setdefault(id, caption) != caption:
                    raise DataError(f"{file.with_name(position)}: '{id}' has another caption above.", "Remove one.")
        return known


def _text(cell: Any) -> str:
    """A cell as a caption; empty for none."""
    if cell is None or isinstance(cell, str):
        return (cell or "").strip()
    return json.dumps(cell, ensure_ascii=False, default=str)
