"""easy-VQA: 48,248 questions about 5,000 images of one coloured shape (package `easy-vqa`, MIT, by Victor Zhou)."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_sources(register: Register) -> None:
    register(
        "easy-vqa",
        "openvlt_plugins.easy_vqa.source:EasyVqa",
        summary="images of one coloured shape: what shape, what colour, yes or no",
    )


@hookimpl
def register_benchmarks(register: Register) -> None:
    register(
        "easy-vqa",
        "openvlt_plugins.easy_vqa.benchmark:EasyVqaBenchmark",
        summary="1,000 test questions balanced over shape, colour and yes/no, one per image",
    )
