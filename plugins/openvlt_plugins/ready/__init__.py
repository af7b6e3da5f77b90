"""Captions that come with the data: in a column of the rows, or in files of their own."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_captioners(register: Register) -> None:
    register(
        "ready",
        "openvlt_plugins.ready.captioner:Ready",
        summary="captions that come with the data: alt text, tables, OCR, in a column of the rows or in files",
    )
