"""Which of the verified traces the policy learns from."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_filters(register: Register) -> None:
    register("correct", "openvlt_plugins.trace_filters.selection:Correct", summary="traces found correct")
    register("shortest", "openvlt_plugins.trace_filters.selection:Shortest", summary="the shortest correct trace")
    register(
        "per-question", "openvlt_plugins.trace_filters.selection:PerQuestion", summary="at most n traces an example"
    )
    register("unique", "openvlt_plugins.trace_filters.selection:Unique", summary="one of traces that say the same")
    register(
        "truncate-reflection",
        "openvlt_plugins.trace_filters.reflection:TruncateReflection",
        summary="cut reasoning off where it first doubts itself",
    )
    register("max-words", "openvlt_plugins.trace_filters.length:MaxWords", summary="traces of at most n words")
    register("min-words", "openvlt_plugins.trace_filters.length:MinWords", summary="traces of at least n words")
    register(
        "balance", "openvlt_plugins.trace_filters.balance:Balance", summary="answers and question kinds equally often"
    )
