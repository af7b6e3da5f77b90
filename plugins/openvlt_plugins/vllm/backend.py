"""The backend ``vllm``: vLLM's offline engine."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Le

from openvlt import (
    PAGED_SHARE,
    Backend,
    Engine,
    ImageReader,
    Memory,
    Model,
    ModelShape,
    Option,
    UsageError,
    Workload,
    first_line,
    within_pixels,
    writing_hours,
)

if TYPE_CHECKING:
    from vllm import LLM


ENGINE = 2e9
"""Bytes of a GPU beside weights and cache: the activations of a prefill, CUDA graphs (an estimate)."""
_CODE = re.compile(
    r".*_(?:cls|class|plugin|module)|logits_processors|load_format|model_loader_extra_config|model|tokenizer|code_revision"
    r"|hf_config_path|trust_remote_code|download_dir|allowed_local_media_path"
)
"""Arguments of vLLM that name code to run, another way to load, or files to read."""


@dataclass(frozen=True)
class VllmBackend(Backend):
    """Runs text and image-text models with continuous batching; samples of one prompt share its prefill.

    A sample's seed is derived from its request's key and its index, so more samples keep the first ones. Identical text
    is not guaranteed, since vLLM forms batches by timing. On a CPU, samples are drawn as by the backend hf.
    """

    tensor_parallel: Annotated[int, Ge(1), Option("GPUs that each layer is split over", affects_output=False)] = 1
    data_parallel: Annotated[int, Ge(1), Option("copies of the model, each on its own GPUs", affects_output=False)] = 1
    memory: Annotated[float, Gt(0), Le(1), Option("fraction of each GPU's memory to use", affects_output=False)] = 0.9
    cache: Annotated[
        float, Ge(0), Option("key-value cache; 0 for all remaining memory", "GiB", affects_output=False)
    ] = 0.0
    eager: Annotated[bool, Option("faster start, slower decoding", affects_output=False)] = False
    extra: Annotated[Mapping[str, Any], Option("additional arguments of vllm.LLM")] = field(default_factory=dict)

    default_for = "large"
    capabilities = frozenset({"images", "samples", "seeds"})
    chunk = 256

    def __post_init__(self) -> None:
        refused = sorted(name for name in self.extra if _CODE.fullmatch(name))
        executor = str(self.extra.get("distributed_executor_backend", ""))
        if refused or "." in executor or ":" in executor:
            named = ", ".join(refused) or f"distributed_executor_backend: {executor}"
            raise UsageError(
                f"The option extra has {named}, which would let a recipe run other code or read other files.",
                "Remove it, or start a vLLM server with that argument and give its URL.",
            )

    def check(self, config: Mapping[str, Any]) -> None:
        if self.extra.get("quantization") == "bitsandbytes" and find_spec("bitsandbytes") is None:
            raise UsageError(
                "The backend vllm needs the package bitsandbytes for that quantization, which is not installed.",
                "Run: pip install bitsandbytes",
            )
        text = config.get("text_config")
        heads = (text if isinstance(text, dict) else config).get("num_attention_heads")
        if isinstance(heads, int) and heads % self.tensor_parallel:  # ModelConfig.verify_with_parallel_config of vLLM
            raise UsageError(
                f"The backend vllm cannot split the model's {heads} attention heads over {self.tensor_parallel} GPUs "
                "(option tensor_parallel).",
                f"Choose a divisor of {heads}.",
            )

    def gpu_memory(self, shape: ModelShape, work: Workload) -> Memory:
        """The least it can run with: weights, the cache of one sequence, and what its share leaves to others.

        A quantization of vLLM's is taken for 4 bits, of which scales make 4.5 (bitsandbytes, AWQ and GPTQ).
        """
        parts = min(self.tensor_parallel, max(1, work.gpus.count))
        width = 4.5 / 8 if "quantization" in self.extra else work.width
        length = self.extra.get("max_model_len") or work.prompt + work.reply
        return {
            "weights": shape.parameters * width / parts,
            "cache": max(self.cache * 2**30, 2 * length * shape.kv_width / parts),
            "engine": ENGINE if work.gpus.count else 0.0,
            "unused": (1 - self.memory) * work.gpus.size,
        }

    def hours(self, shape: ModelShape, work: Workload, prompts: int, samples: int) -> float | None:
        """All GPUs that `tensor_parallel` and `data_parallel` name work at the same time."""
        gpus = max(1, min(self.tensor_parallel * self.data_parallel, work.gpus.count))
        return writing_hours(shape, work, prompts=prompts, samples=samples, share=PAGED_SHARE, gpus=gpus)

    def savings(self) -> Sequence[Mapping[str, Any]]:
        return [{"tensor_parallel": count} for count in (2, 4, 8) if count > self.tensor_parallel]

    @contextmanager
    def open(self, model: Model, read: ImageReader) -> Iterator[Engine]:
        """Load the model; leaving the context frees it.

        Raises:
            UsageError: there is no such model, or vLLM cannot run it.
        """
        import torch

        from openvlt_plugins.vllm.engine import VllmEngine
        from openvlt_plugins.vllm.gguf import as_folder

        set_threads = torch.set_num_threads  # on a CPU vLLM replaces it and never restores it
        with as_folder(model) as readable:
            llm = self._load(readable)
            try:
                yield VllmEngine(llm, read, draws=not _has_gpu())
            finally:
                llm.llm_engine.engine_core.shutdown()
                del llm
                _free()
                torch.set_num_threads = set_threads

    def _load(self, model: Model) -> LLM:
        if self.data_parallel > 1 and "distributed_executor_backend" not in self.extra:
            raise UsageError(
                f"vLLM cannot run {self.data_parallel} copies of '{model.id}' from one process (data_parallel).",
                "Start a server for each copy and give all their URLs, or set extra.distributed_executor_backend.",
            )
        from vllm import LLM

        try:
            # Without a GPU a separate process has no advantage and takes seven times as long to start.
            with _environment("VLLM_ENABLE_V1_MULTIPROCESSING", None if _has_gpu() else "0"):
                return LLM(**self._arguments(model))
        except (ImportError, UsageError):
            raise
        except Exception as error:  # damaged files raise whatever their parser raises, from KeyError to RuntimeError
            raise UsageError(
                f"The model '{model.id}' cannot be loaded: {first_line(error)}.",
                "Give a hub id or a local folder that vLLM can run, or use the backend hf.",
            ) from error

    def _arguments(self, model: Model) -> dict[str, Any]:
        from transformers import AutoConfig, AutoImageProcessor

        config = AutoConfig.from_pretrained(model.id, revision=model.revision, trust_remote_code=False)
        arguments: dict[str, Any] = {
            "model": model.id,
            "revision": model.revision,
            "dtype": _dtype(model, config),
            "max_model_len": model.context,
            "tensor_parallel_size": self.tensor_parallel,
            "data_parallel_size": self.data_parallel,
            "gpu_memory_utilization": self.memory,
            "enforce_eager": self.eager,
            "enable_prefix_caching": True,
            "trust_remote_code": False,
            "load_format": "safetensors",
        }
        if self.cache:
            arguments["kv_cache_memory_bytes"] = int(self.cache * 2**30)
        if model.pixels is not None:
            processor = AutoImageProcessor.from_pretrained(model.id, revision=model.revision, trust_remote_code=False)
            settings = within_pixels(processor.to_dict(), model.pixels)
            arguments["mm_processor_kwargs"] = settings
            arguments["hf_overrides"] = {name: value for name, value in settings.items() if hasattr(config, name)}
        if not _has_gpu():
            # Only whole blocks are shared; with vLLM's 128 tokens each sample would read most of its prompt again.
            arguments |= {"block_size": 32, "max_num_seqs": 512}
            arguments["logits_processors"] = ["openvlt_plugins.vllm.draws:Draws"]
        return {**arguments, **self.extra}


def _dtype(model: Model, config: Any) -> str:
    """The dtype to load in: vLLM's ``auto`` would halve a model saved in float32; ours keeps the saved dtype."""
    saved = config.dtype or config.get_text_config().dtype
    return str(saved).removeprefix("torch.") if model.dtype == "auto" and saved else model.dtype


def _has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


@contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    """Set an environment variable temporarily, unless the user has set it or the value is None."""
    if value is None or name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def _free() -> None:
    """Release the engine's resources."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    cleanup_dist_env_and_memory()
    gc.collect()
