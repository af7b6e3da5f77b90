"""The policy as its own teacher, from iteration 2 on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openvlt import hookimpl

if TYPE_CHECKING:
    from openvlt import Register


@hookimpl
def register_teachers(register: Register) -> None:
    register(
        "policy",
        "openvlt_plugins.policy.teacher:Policy",
        summary="the policy itself, looking at the image; no caption is needed",
    )
