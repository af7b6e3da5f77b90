"""The policy as its own teacher, from iteration 2 on."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_teachers(register: Register) -> None:
    register(
        "policy",
        "openvlt_plugins.policy.teacher:Policy",
        summary="the policy itself, from the image; needs no caption",
    )
