"""The backend ``hf``: a model from the hub or a folder, run by transformers in this process."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge

from openvlt import (
    EAGER_SHARE,
    Backend,
    Engine,
    ImageReader,
    Memory,
    Model,
    ModelShape,
    Option,
    UsageError,
    Workload,
    writing_hours,
)

ATTENTION = ("full_attention", "sliding_attention", "chunked_attention")
"""Layers that need nothing of the past but keys and values."""
FULL = 64
"""Sequences of a batch. A step of fewer takes as long, for it reads all weights."""


@dataclass(frozen=True)
class HfBackend(Backend):
    """Runs text and image-text models on one GPU or on the CPU, for small models and tests.

    A sample depends only on its request's key and its index, and the same chunk of requests gives identical text.
    """

    batch: Annotated[int, Ge(1), Option("sequences decoded together", unit="sequences")] = FULL
    threads: Annotated[int, Ge(0), Option("CPU threads; 0 for torch's default", affects_output=False)] = 0

    default_for = "any"
    capabilities = frozenset({"images", "samples", "seeds"})
    deterministic = True

    def check(self, config: Mapping[str, Any]) -> None:
        text = config.get("text_config")
        layers = (text if isinstance(text, dict) else config).get("layer_types")
        if others := {str(each) for each in layers if each not in ATTENTION} if isinstance(layers, list) else set():
            raise UsageError(
                f"The backend hf cannot run models of the type {config.get('model_type')}, whose layers are "
                f"{', '.join(sorted(others))}.",
                "Use the backend vllm.",
            )

    def gpu_memory(self, shape: ModelShape, work: Workload) -> Memory:
        """Weights and the cache of a batch, over all GPUs, and 1.5 GB of each for CUDA and one layer (an estimate)."""
        cache = self.batch * (work.prompt + work.reply) * shape.kv_width * work.width
        gpus = max(1, work.gpus.count)
        weights = shape.parameters * work.width
        return {"weights": weights / gpus, "cache": cache / gpus, "headroom": 1.5e9 if work.gpus.count else 0.0}

    def hours(self, shape: ModelShape, work: Workload, prompts: int, samples: int) -> float | None:
        """One GPU works at a time, since each has some of the layers."""
        share = EAGER_SHARE * min(1.0, self.batch / FULL)
        return writing_hours(shape, work, prompts=prompts, samples=samples, share=share, gpus=1)

    def savings(self) -> Sequence[Mapping[str, Any]]:
        return [{"batch": batch} for batch in (32, 16, 8, 4, 1) if batch < self.batch]

    @contextmanager
    def open(self, model: Model, read: ImageReader) -> Iterator[Engine]:
        """Load the model; leaving the context frees it.

        Raises:
            UsageError: there is no such model, it has no safetensors weights, or it needs code of its own.
        """
        import torch

        from openvlt_plugins.hf.engine import HfEngine
        from openvlt_plugins.hf.loading import load

        threads = torch.get_num_threads()
        if self.threads:
            torch.set_num_threads(self.threads)
        try:
            engine = HfEngine(load(model), read, batch=self.batch)
            yield engine
        finally:
            engine = None  # type: ignore[assignment]
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            torch.set_num_threads(threads)
