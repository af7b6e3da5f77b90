"""The captioner that reads text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Interval

from openvlt import Image, ImageReader, Option, ProgramCaptioner
from openvlt_plugins.rapid_ocr.layout import Piece, as_table

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SLIMMEST = 4
"""Ratio of the sides of a picture as it is read."""


@dataclass(frozen=True)
class RapidOcr(ProgramCaptioner):
    """Reads the text in the images with RapidOCR and the weights in its package (PP-OCR, Apache-2.0).

    What stands in a row becomes a line, its columns are separated by ``|``, so that a table stays a table. An image
    without text has no caption. Nothing is downloaded. Text that is upside down is not turned.
    """

    least: Annotated[float, Interval(ge=0, le=1), Option("least confidence of a piece of text")] = 0.5
    threads: Annotated[int, Ge(1), Option("threads", affects_output=False)] = 2

    def revision(self) -> str:
        return version("rapidocr")

    @contextmanager
    def open(self, read: ImageReader) -> Iterator[Callable[[Sequence[Image]], str | None]]:
        from rapidocr import RapidOCR

        engine = RapidOCR(
            params={
                "Global.text_score": self.least,
                "Global.use_cls": False,
                "Global.log_level": "error",
                "EngineConfig.onnxruntime.intra_op_num_threads": self.threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

        def pieces(image: Image) -> list[Piece]:
            found = engine(_padded(read(image)))
            boxes = () if found.boxes is None else found.boxes.tolist()
            return [Piece.of(text, box) for text, box in zip(found.txts or (), boxes, strict=True)]

        yield lambda images: joined([as_table(pieces(image)) for image in images])


def _padded(picture: Picture) -> Picture:
    """The picture with white below or beside it if it is narrow: the engine enlarges the short side to 736 pixels."""
    least = max(picture.size) // SLIMMEST
    size = max(picture.width, least), max(picture.height, least)
    if size == picture.size:
        return picture
    from PIL import Image as Pictures

    padded = Pictures.new("RGB", size, "white")
    padded.paste(picture)
    return padded


def joined(texts: Sequence[str]) -> str | None:
    """The caption of images, from the text of each; several are numbered."""
    if not any(texts):
        return None
    if len(texts) == 1:
        return texts[0]
    return "\n\n".join(f"Image {number}:\n{text or 'no text'}" for number, text in enumerate(texts, 1))
