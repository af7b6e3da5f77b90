"""Inference on any OpenAI-compatible endpoint."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_backends(register: Register) -> None:
    register(
        "openai",
        "openvlt_plugins.openai.backend:OpenAIBackend",
        summary="one or more OpenAI-compatible endpoints of one model",
        requires=("aiohttp",),
    )
