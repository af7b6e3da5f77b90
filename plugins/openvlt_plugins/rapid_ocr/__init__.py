"""The text in an image as its caption, read by PP-OCR on the CPU (packages `rapidocr` and `onnxruntime`)."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_captioners(register: Register) -> None:
    register(
        "rapid-ocr",
        "openvlt_plugins.rapid_ocr.captioner:RapidOcr",
        summary="the text in the images, in rows and columns: tables, charts, documents; on the CPU",
        requires=("rapidocr", "onnxruntime"),
    )
