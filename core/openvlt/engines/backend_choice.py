"""Which backend a model runs on, where the recipe names none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from openvlt.records import Model
from openvlt.registry.targets import is_installed

if TYPE_CHECKING:
    from openvlt.registry import Registry

ENDPOINTS = "openai"
"""The backend of models that have a URL."""
LARGE = 2_000_000_000
"""Bytes of weights from which vLLM's start-up (a minute) is worth it."""


def choose_backend(model: Model, installed: set[str], size_bytes: int | None) -> tuple[str, str]:
    """Choose a backend.

    Args:
        model: what is to run.
        installed: optional engines that can be imported, such as ``vllm``.
        size_bytes: of its weights, None if they are not on this machine.

    Returns:
        The backend's name, and the reason in half a sentence.
    """
    if model.url:
        return ENDPOINTS, "an endpoint is given"
    large = size_bytes is None or size_bytes >= LARGE
    if large and "vllm" in installed:
        return "vllm", "it is installed and the model is large"
    if large:
        return "hf", "vLLM is not installed"
    return "hf", "the model is small"


def first_installed(
    specs: Sequence[str | Mapping[str, Any]], registry: Registry
) -> tuple[str | Mapping[str, Any], str]:
    """The first backend whose packages are installed, or the last, and the reason in half a sentence."""
    names = [spec if isinstance(spec, str) else str(spec["use"]) for spec in specs]
    for name, spec in zip(names, specs, strict=True):
        if all(is_installed(package) for package in registry.find("backend", name).requires):
            return spec, f"it is the first of {', '.join(names)} that is installed"
    return specs[-1], f"none of {', '.join(names)} is installed"
