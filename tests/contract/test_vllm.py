"""What is the vllm backend's own: what reaches the engine, and that nothing of it is left."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openvlt import Model, UsageError
from openvlt_plugins.vllm.backend import VllmBackend
from tiny_models import CONTEXT, picture

LEAK = """
import gc, json, os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from openvlt import Model, Sampling
from openvlt_plugins.vllm.backend import VllmBackend
from tiny_models import picture, request

def left():
    gc.collect()
    status = Path("/proc/self/status").read_text()
    children = Path(f"/proc/self/task/{{os.getpid()}}/children").read_text().split()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024, len(children)

figures = []
for _ in range(2):
    with VllmBackend(eager=True, cache=0.5).open(Model(id={model!r}, context=256), picture) as engine:
        assert len(engine.generate([request("Hello")], Sampling(max_tokens=4))[0]) == 1
    figures.append(left())
import torch
torch.set_num_threads(1)
assert torch.get_num_threads() == 1, "threads can no longer be set"
print(json.dumps(figures))
"""


def test_the_recipes_options_reach_the_engine(text_model: Path, vision_model: Path) -> None:
    backend = VllmBackend(tensor_parallel=2, memory=0.5, cache=1.5, eager=True, extra={"seed": 7, "dtype": "half"})
    model = Model(id=str(vision_model), revision="abc", dtype="bfloat16", context=CONTEXT, pixels=(64, 4096))
    told = backend._arguments(model)
    assert (told["tensor_parallel_size"], told["max_model_len"], told["revision"]) == (2, CONTEXT, "abc")
    assert (told["gpu_memory_utilization"], told["kv_cache_memory_bytes"]) == (0.5, 1.5 * 2**30)
    assert told["enforce_eager"] and told["enable_prefix_caching"] and not told["trust_remote_code"]
    assert told["mm_processor_kwargs"] == {"size": {"shortest_edge": 64, "longest_edge": 4096}}
    assert told["hf_overrides"] == {}
    assert (told["seed"], told["dtype"]) == (7, "half"), "extra arguments have the last word"
    assert VllmBackend()._arguments(Model(id=str(text_model)))["dtype"] == "float32", "what was saved"
    bf16 = VllmBackend()._arguments(Model(id=str(text_model), dtype="bfloat16"))
    assert bf16["dtype"] == "bfloat16"


@pytest.mark.parametrize("config", [{"num_attention_heads": 28}, {"text_config": {"num_attention_heads": 28}}])
def test_heads_that_cannot_be_split_are_refused_by_the_configuration_alone(config: dict[str, Any]) -> None:
    VllmBackend(tensor_parallel=4).check(config)
    with pytest.raises(UsageError, match="the model's 28 attention heads over 8 GPUs"):
        VllmBackend(tensor_parallel=8).check(config)


def test_limits_of_pixels_are_in_the_terms_of_a_family(family: Callable[[str], Path]) -> None:
    told = VllmBackend()._arguments(Model(id=str(family("LLaVA-OneVision")), pixels=(1024, 2048)))
    sizes = {"image_grid_pinpoints": [[32, 32], [32, 64], [64, 32]]}
    assert (told["mm_processor_kwargs"], told["hf_overrides"]) == (sizes, sizes)


def test_copies_of_a_model_are_for_servers(text_model: Path) -> None:
    pytest.importorskip("vllm", reason="needs the group engines")
    with (
        pytest.raises(UsageError, match="cannot run 2 copies"),
        VllmBackend(data_parallel=2).open(Model(id=str(text_model)), picture),
    ):
        pass


@pytest.mark.parametrize("name", ["no-such.gguf", "broken.gguf"])
def test_a_file_that_is_no_gguf_is_named(tmp_path: Path, name: str) -> None:
    pytest.importorskip("vllm", reason="needs the group engines")
    (tmp_path / "broken.gguf").write_bytes(b"no weights")
    path = str(tmp_path / name)
    with pytest.raises(UsageError, match=f"{name}' cannot be loaded"), VllmBackend().open(Model(id=path), picture):
        pass


@pytest.mark.slow
@pytest.mark.xdist_group("engines")
def test_no_process_and_no_memory_is_left(vision_model: Path) -> None:
    pytest.importorskip("vllm", reason="needs the group engines")
    script = LEAK.format(tests=str(Path(__file__).parents[1]), model=str(vision_model))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (first, *_), (last, children) = (figures := json.loads(done.stdout.splitlines()[-1]))[0], figures[-1]
    assert children == 0
    assert last - first < 256, f"each engine held 512 MB of cache; {figures} MB were left after each"


@pytest.mark.parametrize(
    "extra",
    [
        {"worker_cls": "os.system"}, {"worker_extension_cls": "a.B"}, {"logits_processors": ["a:B"]},
        {"load_format": "pt"}, {"tokenizer": "/etc"}, {"trust_remote_code": True}, {"io_processor_plugin": "x"},
        {"distributed_executor_backend": "a.b.C"},
    ],
)  # fmt: skip
def test_a_recipe_names_no_code_for_the_engine(extra: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(extra)))):
        VllmBackend(extra=extra)
