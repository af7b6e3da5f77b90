"""Any chat model as a teacher, with a prompt written in the recipe."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_teachers(register: Register) -> None:
    register("chat", "openvlt_plugins.chat.teacher:Chat", summary="any text model reasons from the caption")
    register(
        "chat-vl", "openvlt_plugins.chat.teacher:ChatVl", summary="any vision-language model reasons from the images"
    )
