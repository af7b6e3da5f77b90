"""HallusionBench (Guan et al., CVPR 2024, arXiv 2310.14566): yes/no questions on true and altered figures."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_benchmarks(register: Register) -> None:
    register(
        "hallusionbench",
        "openvlt_tasks:bench/hallusionbench.yaml",
        summary="yes/no questions on true and altered figures: aAcc, fAcc, qAcc",
    )
