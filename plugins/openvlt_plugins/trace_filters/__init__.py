"""Filters that select the verified traces the policy is trained on."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_filters(register: Register) -> None:
    register("correct", "openvlt_plugins.trace_filters.selection:Correct", summary="correct traces")
    register("shortest", "openvlt_plugins.trace_filters.selection:Shortest", summary="the shortest correct trace")
    register(
        "per-question", "openvlt_plugins.trace_filters.selection:PerQuestion", summary="at most n traces per example"
    )
    register("unique", "openvlt_plugins.trace_filters.selection:Unique", summary="no duplicate traces")
    register(
        "truncate-reflection",
        "openvlt_plugins.trace_filters.reflection:TruncateReflection",
        summary="truncate reasoning at its first reflection",
    )
    register("max-words", "openvlt_plugins.trace_filters.length:MaxWords", summary="traces of at most n words")
    register("min-words", "openvlt_plugins.trace_filters.length:MinWords", summary="traces of at least n words")
    register("balance", "openvlt_plugins.trace_filters.balance:Balance", summary="answers and categories equally often")
