"""EMMA (Hao et al., ICML 2025, arXiv 2501.05444): questions that need image and text together."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_benchmarks(register: Register) -> None:
    register(
        "emma",
        "openvlt_tasks:bench/emma.yaml",
        summary="mathematics, physics, chemistry and coding that need image and text together",
    )
