"""Inference on any OpenAI-compatible endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openvlt import hookimpl

if TYPE_CHECKING:
    from openvlt import Register


@hookimpl
def register_backends(register: Register) -> None:
    register(
        "openai",
        "openvlt_plugins.openai.backend:OpenAIBackend",
        summary="one or more OpenAI-compatible endpoints of one model",
        requires=("aiohttp",),
    )
