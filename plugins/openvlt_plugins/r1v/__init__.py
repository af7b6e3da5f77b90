"""The reward of the released OpenVLThinker code, for replication."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_verifiers(register: Register) -> None:
    register("r1v-compat", "openvlt_plugins.r1v.reward:R1V", summary="OpenVLThinker's released reward, bug for bug")
