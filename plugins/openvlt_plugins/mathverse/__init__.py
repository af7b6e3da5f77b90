"""MathVerse (Zhang et al., ECCV 2024, arXiv 2403.14624): 788 problems, each in five versions."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_benchmarks(register: Register) -> None:
    register(
        "mathverse",
        "openvlt_tasks:bench/mathverse.yaml",
        summary="788 problems in five versions, from all in the text to all in the drawing",
    )
