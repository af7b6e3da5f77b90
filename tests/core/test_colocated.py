"""GRPO whose rollouts vLLM writes, colocated or as a server: what it says of its tokens is what the trainer says of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made import Bench
from test_training import GRPO, changed, metrics

import openvlt_tasks
from openvlt.registry import Registry

pytestmark = [pytest.mark.xdist_group("engines"), pytest.mark.slow]

COLOCATED = Path(__file__).parents[1] / "plugins" / "colocated" / "openvlt_colocated.py"
MODEL = Path(openvlt_tasks.__file__).parent / "models" / "tiny_vl"
SERVER = {"vllm": "server", "vllm_sleep": None}
DIFFERENCE = "sampling/sampling_logp_difference/mean"


@pytest.mark.parametrize(
    ("options", "most"), [({}, 0.001), ({"lora_rank": 4}, 0.001), ({"precision": "bf16"}, 0.02), (SERVER, 0.01)]
)  # fmt: skip
def test_vllm_and_the_trainer_find_a_response_equally_likely(
    stages: Bench, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], most: float
) -> None:
    """Mean differences of log-probabilities, images included; the bounds are those of docs/gpu.md."""
    pytest.importorskip("vllm", reason="needs the group engines")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    stages.workspace.registry = Registry.discover([*stages.workspace.registry.files, COLOCATED])
    rows = stages.load(n=8)
    options = {**GRPO, "vllm": "colocate", "vllm_sleep": False, "learning_rate": 1e-4, "max_tokens": 24, **options}
    made, folder = stages.train(rows, "grpo", MODEL, {"luck": 1.0}, **{**options, "steps": 3, "devices": 1})
    differences = [row[DIFFERENCE] for row in metrics(made) if DIFFERENCE in row]
    assert len(differences) == 3 and 0 < max(differences) <= most, differences
    assert "language" in changed(MODEL, folder)


FORGETS = """
import json, sys
from types import SimpleNamespace
from PIL import Image
from transformers import AutoProcessor
from vllm import LLM, SamplingParams
from openvlt_plugins.trl.rollouts import synchronised

model = sys.argv[1]
llm = LLM(model, enforce_eager=True, dtype="float32", max_model_len=512, distributed_executor_backend="external_launcher")
content = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
prompt = AutoProcessor.from_pretrained(model).apply_chat_template(
    [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
)
image = Image.effect_noise((64, 64), 80).convert("RGB")

def asked():
    told = SamplingParams(max_tokens=3, temperature=0, logprobs=0)
    [made] = llm.generate([{"prompt": prompt, "multi_modal_data": {"image": image}}], told, use_tqdm=False)
    return [next(iter(token.values())).logprob for token in made.outputs[0].logprobs]

def sync():  # as TRL does: weights, then the cache of prefixes
    for name, weight in llm.llm_engine.model_executor.driver_worker.model_runner.model.named_parameters():
        if "visual" in name and "norm" in name:
            weight.data.mul_(5)
    llm.reset_prefix_cache()

found = [asked(), asked()]
synchronised(SimpleNamespace(mode="colocate", llm=llm, sync_weights=sync))()
print("FOUND" + json.dumps([*found, asked()]))
"""


def test_an_image_is_read_with_new_weights_of_the_tower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("vllm", reason="needs the group engines")
    (tmp_path / "forgets.py").write_text(FORGETS)
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "0"}
    for name, value in {**alone, "VLLM_CPU_KVCACHE_SPACE": "1"}.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, str(tmp_path / "forgets.py"), str(MODEL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    first, again, later = json.loads(done.stdout.rpartition("FOUND")[2])
    assert first == again
    assert max(abs(one - other) for one, other in zip(first, later, strict=True)) > 0.1
