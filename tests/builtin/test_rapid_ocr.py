"""The captioner that reads text: tables stay tables, and nothing is downloaded."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import PIL.Image
import pytest
from hypothesis import given, settings, strategies as st
from PIL import ImageDraw, ImageFont

from openvlt import Image
from openvlt.registry import Registry
from openvlt_plugins.rapid_ocr.captioner import RapidOcr, joined
from openvlt_plugins.rapid_ocr.layout import Piece, as_table

HEIGHT = 20.0
TEXTS = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=8)


def piece(text: str, left: float, top: float, width: float, *, jitter: float = 0.0) -> Piece:
    return Piece(text, left, top + jitter, left + width, top + HEIGHT + jitter)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_grid_is_read_as_it_is(data: Any) -> None:
    """Rows of pieces in columns of any width, somewhere in them, in any order, with gaps, under a title."""
    widths = data.draw(st.lists(st.integers(20, 120), min_size=2, max_size=5))
    grid: list[list[str]] = data.draw(
        st.lists(st.lists(TEXTS, min_size=len(widths), max_size=len(widths)), min_size=2, max_size=6)
    )
    gap = data.draw(st.sampled_from([(0, 0), (1, 0)]))  # the first row is whole, so that each column is somewhere
    if gap[0] and len(widths) > 2:
        grid[1][gap[1]] = ""
    pieces = [piece("A title over it all", 0, 0, sum(widths) + 10 * len(widths))]
    for y, row in enumerate(grid, 1):
        for x, text in enumerate(row):
            left = sum(widths[:x]) + 10 * x
            narrow = data.draw(st.integers(15, widths[x])) if y > 1 else widths[x]
            offset = data.draw(st.integers(0, widths[x] - narrow))
            if text:
                pieces.append(piece(text, left + offset, 30.0 * y, narrow, jitter=data.draw(st.integers(-4, 4))))
    read = as_table(data.draw(st.permutations(pieces)))
    assert read.split("\n") == ["A title over it all", *(" | ".join(row) for row in grid)]


@pytest.mark.parametrize(
    ("pieces", "read"),
    [
        ([], ""),
        ([piece("alone", 5, 5, 50)], "alone"),
        # words of a title that were found apart, over columns
        (
            [piece("Weights of", 0, 0, 130), piece("(kg)", 138, 0, 40), piece("Name", 0, 30, 40), piece("Weight", 100, 30, 50),
             piece("Ann", 0, 60, 40), piece("31", 110, 60, 20)],
            "Weights of (kg)\nName | Weight\nAnn | 31",
        ),
        # a line of one piece is no row
        ([piece("a", 0, 0, 20), piece("b", 80, 0, 20), piece("note", 80, 30, 20)], "a | b\nnote"),
    ],
)  # fmt: skip
def test_other_lines(pieces: Sequence[Piece], read: str) -> None:
    assert as_table(pieces) == read


def test_a_piece_is_the_box_around_its_corners() -> None:
    found = Piece.of("two\nlines", [[3.0, 2.0], [9.0, 1.0], [9.5, 8.0], [2.5, 9.0]])
    assert found == Piece("two lines", 2.5, 1.0, 9.5, 9.0)


def test_several_images_are_numbered() -> None:
    assert joined(["a"]) == "a"
    assert joined(["a", ""]) == "Image 1:\na\n\nImage 2:\nno text"
    assert joined(["", ""]) is None and joined([]) is None


def test_where_its_packages_are_missing_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rapidocr", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None if name == "rapidocr" else find_spec(name))
    (entry,) = [entry for entry in Registry.discover().entries() if entry.name == "rapid-ocr"]
    assert entry.status == "missing-extra"
    assert "openvlt[ocr]" in entry.reason


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str | None]:
    """Reads pictures; a connection to anywhere would be an error."""
    pytest.importorskip("rapidocr", reason="needs the extra ocr")
    pytest.importorskip("onnxruntime", reason="needs the extra ocr")

    def refuse(*_: object) -> None:
        raise AssertionError("the weights are in the package")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    def run(*pictures: PIL.Image.Image) -> str | None:
        with RapidOcr().open(lambda image: pictures[image.width]) as caption:
            first = caption([Image("", index, 0) for index in range(len(pictures))])
            assert caption([Image("", index, 0) for index in range(len(pictures))]) == first
        return first

    return run


def picture(rows: Sequence[Sequence[str]]) -> PIL.Image.Image:
    made = PIL.Image.new("RGB", (360, 40 * len(rows) + 10), "white")
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(22)
    for y, row in enumerate(rows):
        for x, text in enumerate(row):
            draw.text((15 + 190 * x, 8 + 40 * y), text, "black", font)
    return made


TABLE = [("Fruit", "Price"), ("apples", "$2.50"), ("pears", "$13.75"), ("plums", "1,204")]


@pytest.mark.slow
def test_a_drawn_table_is_read(read: Callable[..., str | None]) -> None:
    assert read(picture(TABLE)) == "\n".join(map(" | ".join, TABLE))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(8, 8), (2000, 11), (64, 64)])
def test_a_picture_without_text_has_no_caption(size: tuple[int, int], read: Callable[..., str | None]) -> None:
    assert read(PIL.Image.new("RGB", size, "white")) is None


def test_its_identity_has_the_release_of_the_package() -> None:
    pytest.importorskip("rapidocr", reason="needs the extra ocr")
    assert RapidOcr().revision() == version("rapidocr")
    registry = Registry.discover()
    one, more = (registry.build("captioner", {"use": "rapid-ocr", "threads": each}) for each in (1, 4))
    strict = registry.build("captioner", {"use": "rapid-ocr", "least": 0.9})
    assert one.identity == more.identity != strict.identity
