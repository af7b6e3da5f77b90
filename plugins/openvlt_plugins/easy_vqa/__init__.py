"""easy-VQA: 48,248 questions on 5,000 images of one coloured shape (package `easy-vqa`, MIT, by Victor Zhou)."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_sources(register: Register) -> None:
    register(
        "easy-vqa",
        "openvlt_plugins.easy_vqa.source:EasyVqa",
        summary="one coloured shape in an image: what shape, what colour, yes or no",
    )


@hookimpl
def register_benchmarks(register: Register) -> None:
    register(
        "easy-vqa",
        "openvlt_plugins.easy_vqa.benchmark:EasyVqaBenchmark",
        summary="1,000 test questions balanced over shape, colour and yes/no, one an image",
    )
