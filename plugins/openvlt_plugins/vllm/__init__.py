"""Inference with vLLM, in this process."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_backends(register: Register) -> None:
    register(
        "vllm",
        "openvlt_plugins.vllm.backend:VllmBackend",
        summary="vLLM's offline engine, the fastest for large models",
        requires=("vllm",),
    )
