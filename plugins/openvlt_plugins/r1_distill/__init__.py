"""Text-only reasoning models with `<think>` blocks: the DeepSeek-R1 distillations and QwQ-32B."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_teachers(register: Register) -> None:
    register(
        "r1-distill",
        "openvlt_plugins.r1_distill.teacher:R1Distill",
        summary="DeepSeek-R1-Distill reasons from the caption (sizes 1.5b to 70b, default 14b)",
    )
    register("qwq-32b", "openvlt_plugins.r1_distill.teacher:Qwq", summary="QwQ-32B reasons from the caption")
