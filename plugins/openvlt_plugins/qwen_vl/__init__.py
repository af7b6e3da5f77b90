"""Captions by Qwen2.5-VL, or by any other vision-language model, from one user turn."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_captioners(register: Register) -> None:
    register(
        "qwen-vl",
        "openvlt_plugins.qwen_vl.captioner:QwenVl",
        summary="a detailed description of the images by a vision-language model (default Qwen2.5-VL-3B-Instruct)",
    )
