"""Verifiers of a response's form, independent of its answer."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_verifiers(register: Register) -> None:
    here = "openvlt_plugins.shaping"
    register("format", f"{here}.format:FormatCheck", summary="think and answer tags in order, once each")
    register("tag-count", f"{here}.format:TagCount", summary="a quarter for each tag that occurs once (open-r1)")
    register("overlong", f"{here}.length:Overlong", summary="penalises responses near and over a token limit (DAPO)")
    register("length", f"{here}.length:GroupLength", summary="rewards the shorter responses of a group (Kimi k1.5)")
    register("cosine", f"{here}.length:Cosine", summary="short correct and long wrong responses (2502.03373)")
    register("repetition", f"{here}.repetition:Repetition", summary="penalises repeated n-grams")
