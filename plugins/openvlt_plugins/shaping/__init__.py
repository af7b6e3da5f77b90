"""Verifiers that shape how an answer is given, whatever the answer is."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_verifiers(register: Register) -> None:
    here = "openvlt_plugins.shaping"
    register("format", f"{here}.format:FormatCheck", summary="think and answer tags in order, once each")
