"""Tables that nobody should have written: a sentence or rejected rows, soon and in little memory."""

from __future__ import annotations

import os
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from openpyxl import Workbook
from pyarrow import parquet

from openvlt.errors import DataError
from openvlt.records import Rejected
from openvlt.tables import TABLE_SUFFIXES, digest_files, find_files, read_table


@pytest.fixture
def small_rows(monkeypatch: pytest.MonkeyPatch) -> int:
    for module in ("files", "excel", "json_stream"):
        monkeypatch.setattr(f"openvlt.tables.{module}.MAX_ROW", 10_000)
    return 10_000


def rows(path: Path) -> list[Any]:
    return [row.reason if isinstance(row, Rejected) else row for _, row in read_table(path)]


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_what_is_no_regular_file_is_not_read(tmp_path: Path, suffix: str) -> None:
    fifo, device, folder = (tmp_path / f"{name}{suffix}" for name in ("fifo", "device", "folder"))
    os.mkfifo(fifo)
    device.symlink_to("/dev/zero")
    folder.mkdir()
    for path in (fifo, device, folder):
        with pytest.raises(DataError, match="not a regular file"):
            rows(path)
        with pytest.raises(DataError, match="not a regular file"):
            digest_files([path])
    for path in (fifo, device):
        with pytest.raises(DataError, match="is a device, a fifo or a socket"):
            find_files(path)
    with pytest.raises(DataError, match="contains no data file"):
        find_files(tmp_path)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("none", "does not exist"),
        ("a\0b", "that is not a file name"),
        ("\ud800", "that is not a file name"),
        ("a" * 300, "File name too long"),
        ("a/" * 3000, "File name too long"),
    ],
)
def test_paths_that_cannot_be(path: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem) as error:
        find_files(Path(path))
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


def test_a_folder_gives_no_table_from_outside(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for path in (tmp_path / "private.jsonl", data / "own.jsonl"):
        path.write_text("{}")
    (data / "linked.jsonl").symlink_to("../private.jsonl")
    (data / "inner.jsonl").symlink_to("own.jsonl")
    assert [path.name for path in find_files(data)] == ["inner.jsonl", "own.jsonl"]
    assert find_files(data / "linked.jsonl") == [data / "linked.jsonl"]  # the user names it


def test_a_long_row_is_rejected_and_the_others_are_read(tmp_path: Path, small_rows: int) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": "' + "x" * 5 * small_rows + '"}\n{"a": 3}\n')
    assert [row if isinstance(row, dict) else row[:4] for row in rows(path)] == [{"a": 1}, "over", {"a": 3}]
    table = pyarrow.table({"a": ["1", "x" * 2 * small_rows, "3"]})
    parquet.write_table(table, tmp_path / "rows.parquet", compression="none")
    found = rows(tmp_path / "rows.parquet")
    assert [row if isinstance(row, dict) else row[:4] for row in found] == [{"a": "1"}, "over", {"a": "3"}]


@pytest.mark.parametrize("name", ["rows.json", "rows.csv", "rows.tsv", "rows.xlsx"])
def test_a_table_that_cannot_be_read_past_a_long_row_is_a_sentence(tmp_path: Path, small_rows: int, name: str) -> None:
    path, text = tmp_path / name, "x" * 300 * small_rows
    if path.suffix == ".xlsx":
        book = Workbook()
        for number in range(1000):
            book.active.append([f"x{number}"])
        book.save(path)
    else:
        path.write_text(f'["{text}"]' if path.suffix == ".json" else f'a,b\n1,"{text}"\n')
    with pytest.raises(DataError):
        rows(path)


def test_a_row_longer_than_its_header_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("question,answer\nHow, why?,3\nq,a\nq,a,,\n")
    expected = ["longer than the header", {"question": "q", "answer": "a"}]
    assert rows(tmp_path / "rows.csv") == [*expected, expected[1]]
    book = Workbook()
    for line in (["question", "answer"], ["How", " why?", "3"], ["q", "a"]):
        book.active.append(line)
    book.save(tmp_path / "rows.xlsx")
    assert rows(tmp_path / "rows.xlsx") == expected


def test_a_parquet_bomb_is_refused_before_it_expands(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    table = pyarrow.table({"a": pyarrow.array([b"\0" * 2**20] * 140, pyarrow.large_binary())})
    parquet.write_table(table, path, compression="zstd", use_dictionary=False)
    del table
    assert path.stat().st_size < 2**20
    with pytest.raises(DataError, match="expand to 146,80"):
        rows(path)


def sheet(path: Path, content: str, *, name: str = "xl/worksheets/sheet1.xml") -> Path:
    """An Excel table one member of which is replaced."""
    book = Workbook()
    book.active.append(["a", "b"])
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    members[name] = content.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def cell(coordinate: str, text: str) -> str:
    return f'<c r="{coordinate}" t="inlineStr"><is><t>{text}</t></is></c>'


def lines(numbers: Iterator[int]) -> str:
    return "".join(f'<row r="{number}">{cell(f"A{number}", "x")}</row>' for number in numbers)


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (lines(iter([1, 10**12])), []),
        (lines(iter([1, 2**20])), [{"x": "x"}]),
        (f'<row r="1">{cell("A1", "x")}</row><row r="2">{cell("ZZZZZZ2", "y")}</row>', None),
        (f'<row r="1">{cell("ZZZ1", "x")}</row>' + lines(iter([2])), ["longer than the header"]),
        ("<row/>" * 3, []),
        ("<row", None),
        ("&a;", None),
    ],
    ids=["last row", "many empty rows", "no such column", "far column", "empty rows", "torn", "entity"],
)
def test_absurd_sheets(tmp_path: Path, content: str, found: list[Any] | None) -> None:
    text = f'<worksheet xmlns="{MAIN}"><sheetData>{content}</sheetData></worksheet>'
    path = sheet(tmp_path / "a.xlsx", text)
    if found is None:
        with pytest.raises(DataError, match="is not an Excel table"):
            rows(path)
    else:
        assert rows(path) == found


def test_bombs_in_an_excel_table(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    laughs = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{entities}]>'
    text = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1">{cell("A1", "&a11;")}</row></sheetData></worksheet>'
    with pytest.raises(DataError, match="is not an Excel table"):
        rows(sheet(tmp_path / "laughs.xlsx", laughs + text))
    path = sheet(tmp_path / "bomb.xlsx", " " * 130 * 2**20, name="xl/sharedStrings.xml")
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="over 128 MiB"):
            rows(path)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, "[1" + "0" * 5000 + "]", '[{"a": 1, "a": 2}]', '{"a', "[NaN, 1e999]", "\0"],
    ids=["lists", "objects", "digits", "duplicate", "torn", "no numbers", "NUL"],
)
def test_absurd_json(tmp_path: Path, text: str) -> None:
    for name in ("rows.json", "rows.jsonl"):
        (tmp_path / name).write_text(text)
        try:
            found = rows(tmp_path / name)
        except DataError as error:
            assert len(str(error)) < 400
        else:
            assert all(isinstance(row, str | dict) for row in found)
