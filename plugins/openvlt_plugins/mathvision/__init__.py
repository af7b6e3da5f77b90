"""MathVision (Wang et al., NeurIPS 2024, arXiv 2402.14804): 3,040 competition problems, and their official scoring."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_benchmarks(register: Register) -> None:
    register(
        "mathvision",
        "openvlt_tasks:bench/mathvision.yaml",
        summary="competition mathematics with drawings: test 3,040, testmini 304",
    )


@hookimpl
def register_verifiers(register: Register) -> None:
    register(
        "mathvision-official",
        "openvlt_plugins.mathvision.official:MathVisionOfficial",
        summary="MathVision's published extraction and equality, without running model text as code",
    )
