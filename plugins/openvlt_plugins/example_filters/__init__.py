"""Which examples a stage works on."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_filters(register: Register) -> None:
    register(
        "pass-rate",
        "openvlt_plugins.example_filters.facts:PassRate",
        summary="examples the policy neither always nor never gets right",
    )
    register(
        "contamination",
        "openvlt_plugins.example_filters.facts:Contamination",
        summary="examples without an image of a benchmark",
    )
    register("dedup", "openvlt_plugins.example_filters.sampling:Dedup", summary="one of examples that ask the same")
    register("sample", "openvlt_plugins.example_filters.sampling:Sample", summary="n examples at random, by a seed")
    register("source-quota", "openvlt_plugins.example_filters.sampling:SourceQuota", summary="so many of each source")
    register(
        "balance-examples",
        "openvlt_plugins.example_filters.sampling:BalanceExamples",
        summary="answers, question kinds or sources equally often",
    )
