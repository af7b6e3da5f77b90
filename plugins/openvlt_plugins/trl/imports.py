"""Faster imports of TRL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_vllm() -> Iterator[None]:
    """Make vLLM look uninstalled, for imports that do not need it.

    TRL's GRPO trainer imports vLLM if it is installed, even if it is not used: 7 s of CPU and 210 MB. Python treats a
    module that is ``None`` in `sys.modules` as one that cannot be imported.
    """
    hidden = "vllm" not in sys.modules
    if hidden:
        sys.modules["vllm"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["vllm"]
