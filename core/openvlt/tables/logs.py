"""Rows of the logs of evaluations and trainings: inspect_ai's ``.eval``, and EasyR1's ``generations.log``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openvlt.errors import DataError, first_line
from openvlt.tables.limits import MAX_EXPANSION, MAX_ROW
from openvlt.tables.reading import open_table

_SAMPLES = "samples/"
_ZSTANDARD = 93  # of ZIP's methods; Python reads it from 3.14 on
_HEADER = 30  # bytes of a member's header before its name, whose length and that of what follows are the last four
_TOO_LONG = f"over {MAX_ROW >> 20} MiB"
_FIELDS = ("prompt", "output", "ground_truth", "score")
_FIELD = re.compile(rf"\[({'|'.join(_FIELDS)})\] ")


def eval_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Rows of a log of inspect_ai, a ZIP archive with a JSON file for each sample.

    Raises:
        DataError: it is no such archive.
    """
    from zipfile import ZipFile

    try:
        with open_table(path) as file, ZipFile(file) as archive:
            samples = [each for each in archive.infolist() if each.filename.startswith(_SAMPLES)]
            for number, member in enumerate(samples, start=1):
                if member.file_size > MAX_ROW or member.file_size > MAX_EXPANSION * member.compress_size:
                    yield number, _TOO_LONG
                    continue
                content = _zstandard(file, member) if member.compress_type == _ZSTANDARD else archive.read(member)
                row = json.loads(content)
                yield number, row if isinstance(row, dict) else "not a JSON object"
    except Exception as error:  # on damage: BadZipFile, zlib.error, ValueError, errors of Arrow, ...
        raise DataError(f"{path} is no log of inspect_ai: {first_line(error)}.", "Write it again.") from error


def _zstandard(file: Any, member: Any) -> bytes:
    """A member that today's inspect_ai compressed, which Python cannot read yet."""
    from pyarrow import decompress

    file.seek(member.header_offset)
    header = file.read(_HEADER)
    name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    file.seek(name + extra, 1)
    content: bytes = decompress(
        file.read(member.compress_size), decompressed_size=member.file_size, codec="zstd", asbytes=True
    )
    return content


def generation_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Rows of EasyR1's ``generations.log``: blocks of ``[prompt]``, ``[output]``, ``[ground_truth]`` and ``[score]``.

    A row is complete when its score is read, so that a text may contain such a mark out of order.

    Raises:
        DataError: it does not begin with a block.
    """
    row: dict[str, list[str]] = {}
    number = size = 0
    with open_table(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_ROW), b""), start=1):
            text = line.decode("utf-8")
            mark = _FIELD.match(text)
            wanted = _FIELDS[len(row) % len(_FIELDS)]
            if mark is not None and mark[1] == wanted:
                if wanted == _FIELDS[0] and row:
                    yield number - 1, _ended(row, size)
                    row, size = {}, 0
                row[wanted] = [text[mark.end() :]]
            elif row and size <= MAX_ROW:
                row[list(row)[-1]].append(text)
            elif text.strip() and not row:
                raise DataError(f"{path}:{number} is no log of generations.", "Name another file.")
            size += len(line)
    if row:
        yield number, _ended(row, size)


def _ended(row: dict[str, list[str]], size: int) -> dict[str, Any] | str:
    if size > MAX_ROW:
        return _TOO_LONG
    if len(row) < len(_FIELDS):
        return "not a whole generation"
    return {name: "".join(lines).rstrip("\n") for name, lines in row.items()}
