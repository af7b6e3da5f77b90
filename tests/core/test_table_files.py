"""Cells of tables: what counts as an image, a number or choices, whoever wrote the file."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from openvlt import Reject
from openvlt.records import NewImage
from openvlt.tables import choices_of, images_of, literal_of, read_table, text_of, whole_number_of

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(100))
TEXT = base64.b64encode(PNG).decode()
UNKNOWN = bytes(1000)  # a format that no prefix gives away


@pytest.mark.parametrize(
    ("cell", "origins"),
    [
        (None, []),
        ("", []),
        ([], []),
        (PNG, [PNG]),
        (TEXT, [PNG]),
        (f"data:image/png;base64,{TEXT}", [PNG]),
        (base64.b64encode(UNKNOWN).decode(), [UNKNOWN]),
        ({"bytes": PNG, "path": "a.png"}, [PNG]),
        ({"bytes": None, "path": "a.png"}, [Path("/data/a.png")]),
        ("figures/12", [Path("/data/figures/12")]),  # valid base64, and a path
        (["a.png", {"bytes": PNG}, None], [Path("/data/a.png"), PNG]),
        (f"['a.png', '{TEXT}']", [Path("/data/a.png"), PNG]),
        ('["a.png"]', [Path("/data/a.png")]),
    ],
)
def test_images(cell: Any, origins: list[Path | bytes]) -> None:
    found = images_of(cell, Path("/data"))
    assert [image.origin for image in found if isinstance(image, NewImage)] == origins


def test_a_path_that_begins_like_a_jpeg_in_base64_is_a_path() -> None:
    (image,) = images_of("/9j/a.jpg", Path("/data"), Path("/"))
    assert isinstance(image, NewImage)
    assert image.origin == Path("/9j/a.jpg")


@pytest.mark.parametrize(
    "cell", [7, {"path": ""}, "data:image/png;base64,?", "?" * 1025, "a\0b", "http://a/b.png", [[7]]]
)
def test_what_is_not_an_image_is_rejected(cell: Any) -> None:
    with pytest.raises(Reject):
        images_of(cell, Path())


@pytest.mark.parametrize(
    ("cell", "number"),
    [("3", 3), (3.0, 3), ("3.0", 3), (0, 0), ("", None), (None, None), ("nan", None), (float("nan"), None)],
)
def test_whole_numbers(cell: Any, number: int | None) -> None:
    assert whole_number_of(cell, "it") == number


@pytest.mark.parametrize("cell", [1.5, "two", float("inf"), [1]])
def test_other_numbers_are_rejected(cell: Any) -> None:
    with pytest.raises(Reject, match="it is not a whole number"):
        whole_number_of(cell, "it")


def test_text_loses_the_point_of_a_whole_float() -> None:
    assert [text_of(cell) for cell in (12.0, 12.5, 12, None, " a ")] == ["12", "12.5", "12", "", " a "]


@pytest.mark.parametrize("cell", [["1", "x"], ("1", "x"), "[1, 'x']", '[1, "x"]', {"B": "x", "A": 1, "C": None}])
def test_choices(cell: Any) -> None:
    assert choices_of(cell) == ("1", "x")


@pytest.mark.parametrize("text", ["__import__('os')", "[" * 50_000, "[" + "1," * 100_000 + "]", "a or b"])
def test_only_short_literals_are_read_and_nothing_is_run(text: str) -> None:
    assert literal_of(text) is None


def test_rows_have_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,text\n1,"two\nlines"\n2,one\n')
    (tmp_path / "a.JSONL").write_bytes(b'\xef\xbb\xbf{"id": 1}\n\n{"id": "caf\xe9"}\n' + b"[" * 100_000)
    assert [place for place, _ in read_table(tmp_path / "a.csv")] == ["a.csv:3", "a.csv:4"]
    good, latin, deep = (row for _, row in read_table(tmp_path / "a.JSONL"))
    assert good == {"id": 1}
    assert [(bad.id, bad.reason) for bad in (latin, deep)] == [("a.JSONL:3", "not UTF-8"), ("a.JSONL:4", "not JSON")]
