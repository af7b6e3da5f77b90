"""Inference in this process with transformers."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_backends(register: Register) -> None:
    register(
        "hf",
        "openvlt_plugins.hf.backend:HfBackend",
        summary="transformers in this process: text and images, reproducible samples",
        requires=("torch", "transformers"),
    )
