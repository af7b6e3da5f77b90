"""Filters that select the examples of a stage."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_filters(register: Register) -> None:
    register(
        "pass-rate",
        "openvlt_plugins.example_filters.facts:PassRate",
        summary="examples that the policy solves sometimes, but not always",
    )
    register(
        "contamination",
        "openvlt_plugins.example_filters.facts:Contamination",
        summary="no examples with an image of a benchmark",
    )
    register("dedup", "openvlt_plugins.example_filters.sampling:Dedup", summary="no duplicate examples")
    register("sample", "openvlt_plugins.example_filters.sampling:Sample", summary="n random examples")
    register(
        "source-quota", "openvlt_plugins.example_filters.sampling:SourceQuota", summary="n examples of each source"
    )
    register(
        "balance-examples",
        "openvlt_plugins.example_filters.sampling:BalanceExamples",
        summary="answers, categories or sources equally often",
    )
