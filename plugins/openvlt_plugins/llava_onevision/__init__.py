"""The training data of LLaVA-OneVision, from which OpenVLThinker samples (`lmms-lab/LLaVA-OneVision-Data`)."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_sources(register: Register) -> None:
    register(
        "llava-onevision",
        "openvlt_plugins.llava_onevision.source:LlavaOneVision",
        summary="questions of LLaVA-OneVision-Data, by config: FigureQA, Geometry3K, TabMWP, VizWiz, ...",
        requires=("datasets", "pyarrow"),
    )
