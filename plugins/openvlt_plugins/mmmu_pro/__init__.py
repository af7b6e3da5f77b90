"""MMMU-Pro (Yue et al., ACL 2025, arXiv 2409.02813): college questions with up to ten choices."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_benchmarks(register: Register) -> None:
    register("mmmu-pro-4", "openvlt_tasks:bench/mmmu-pro-4.yaml", summary="college questions, four choices")
    register("mmmu-pro-10", "openvlt_tasks:bench/mmmu-pro-10.yaml", summary="college questions, ten choices")
    register("mmmu-pro-vision", "openvlt_tasks:bench/mmmu-pro-vision.yaml", summary="college questions as screenshots")
