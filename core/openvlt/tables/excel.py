"""The rows of an Excel table, a ZIP archive of XML that may say anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openvlt.errors import DataError, first_line
from openvlt.tables.limits import MAX_ROW
from openvlt.tables.reading import open_table

MAX_ROWS = 2**20  # of a sheet, by Excel's own limit; a sheet may number its only row 10**12
MAX_COLUMNS = 1024


def excel_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Yield the rows of the active sheet by number, or what is wrong with a row; the first one names the columns.

    Raises:
        DataError: it is not an Excel table, or too large.
    """
    try:
        with open_table(path) as file:
            yield from _rows(path, file)
    except DataError:
        raise
    except Exception as error:  # on damage: BadZipFile, KeyError, ParseError, zlib.error, ValueError, TypeError, ...
        raise DataError(f"{path} is not an Excel table: {first_line(error)}.", "Save it as .xlsx or .tsv.") from error


def _rows(path: Path, file: Any) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    from zipfile import ZipFile

    from openpyxl import load_workbook

    with ZipFile(file) as archive:
        # The texts of all cells are one member, which is read as a whole. None is read beyond the size in its header.
        if any(member.file_size > MAX_ROW for member in archive.infolist()):
            raise DataError(f"{path} has a sheet of over {MAX_ROW >> 20} MiB.", "Save it as .jsonl or .tsv.")
    sheet = load_workbook(file, read_only=True, data_only=True).active
    header = next(sheet.iter_rows(max_row=1, max_col=MAX_COLUMNS, values_only=True), ())
    width = max((at for at, column in enumerate(header, start=1) if column is not None), default=0)
    columns = [str(column) for column in header[:width]]
    rows = sheet.iter_rows(min_row=2, max_row=MAX_ROWS, max_col=width + 1, values_only=True)
    for number, row in enumerate(rows, start=2):
        if row.count(None) < len(row):
            yield number, dict(zip(columns, row, strict=False)) if row[width] is None else "longer than the header"
