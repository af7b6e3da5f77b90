"""verl's own classes accept what openvlt writes for it, and each number of OpenVLThinker arrives.

Skipped without an environment that has verl; `install_verl` makes one.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from openvlt import Format, handed_over
from openvlt.registry import Registry

PYTHON = os.environ.get("OPENVLT_VERL_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="OPENVLT_VERL_PYTHON names no Python that has verl"),
]

TINY = Path(__file__).parents[2] / "tasks/openvlt_tasks/models/tiny_vl"
# OpenVLThinker's medium phase: docs of the recipe openvlthinker-v1.2 say where each number is from.
NUMBERS = {
    "learning_rate": 1e-6, "weight_decay": 0.01, "warmup": 0.0, "max_grad_norm": 1.0, "temperature": 1.0, "top_p": 0.99,
    "prompts": 512, "generations": 5, "batch": 640, "device_batch": 2, "score_batch": 4, "max_tokens": 2048,
    "max_prompt": 6144, "beta": 0.01, "epsilon": 0.2, "epsilon_high": 0.3, "delta": 3.0, "epochs": 5, "save_every": 10,
    "loss_type": "bnpo", "schedule": "constant", "freeze": ["vision", "projector"], "nodes": 1, "gpus": 8,
    "vllm_memory": 0.6, "vllm_tensor_parallel": 2,
}  # fmt: skip
ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
ARRIVED = {
    f"{ACTOR}.optim.lr": 1e-6, f"{ACTOR}.optim.weight_decay": 0.01, f"{ACTOR}.optim.lr_warmup_steps_ratio": 0.0,
    f"{ACTOR}.optim.clip_grad": 1.0, f"{ACTOR}.optim.lr_scheduler_type": "constant", f"{ROLLOUT}.temperature": 1.0,
    f"{ROLLOUT}.top_p": 0.99, "data.train_batch_size": 512, f"{ROLLOUT}.n": 5, f"{ACTOR}.ppo_mini_batch_size": 128,
    f"{ACTOR}.ppo_micro_batch_size_per_gpu": 2, f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu": 4,
    "data.max_response_length": 2048, f"{ROLLOUT}.response_length": 2048, "data.max_prompt_length": 6144,
    f"{ROLLOUT}.prompt_length": 6144, f"{ACTOR}.use_kl_loss": True, f"{ACTOR}.kl_loss_coef": 0.01,
    f"{ACTOR}.kl_loss_type": "low_var_kl", f"{ACTOR}.clip_ratio_low": 0.2, f"{ACTOR}.clip_ratio_high": 0.3,
    f"{ACTOR}.clip_ratio_c": 3.0, f"{ACTOR}.loss_agg_mode": "token-mean", f"{ACTOR}.freeze_vision_tower": True,
    "trainer.total_epochs": 5, "trainer.save_freq": 10, "trainer.nnodes": 1, "trainer.n_gpus_per_node": 8,
    f"{ROLLOUT}.gpu_memory_utilization": 0.6, f"{ROLLOUT}.tensor_model_parallel_size": 2, "data.seed": 7,
    f"{ACTOR}.fsdp_config.param_offload": True, "algorithm.adv_estimator": "grpo",
    "algorithm.norm_adv_by_std_in_grpo": True, "data.mm_processor_kwargs.max_pixels": 262144,
    "critic.optim.weight_decay": 0.02,
}  # fmt: skip


def test_verl_accepts_the_configuration_the_data_and_the_reward(job: Any) -> None:
    options = {**NUMBERS, "python": PYTHON, "extra": {"critic": {"optim": {"weight_decay": 0.02}}}}
    trainer = Registry.discover().build("trainer", {"use": "verl", **options}, format=Format()).component
    with handed_over(job, "verl", job.engine) as server:
        command = trainer.command(job)
        assert command[:3] == [PYTHON, "-m", "verl.trainer.main_ppo"]
        (job.folder / "words.json").write_text(json.dumps(command[3:]))
        script = Path(__file__).with_name("verl_accepts.py")
        done = subprocess.run(
            [PYTHON, str(script), str(job.engine), str(job.folder / "words.json")],
            capture_output=True, text=True, check=False, timeout=570,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        assert server.verdicts() == {"answer/correct": 1}
    found = json.loads(done.stdout.rpartition("FOUND")[2])
    assert {key: found["config"].get(key) for key in ARRIVED} == ARRIVED
    assert found["config"]["trainer.default_local_dir"] == str(job.engine)
    assert found["config"]["trainer.total_training_steps"] is None  # verl counts them after it has dropped prompts
    assert (found["classes"], found["lr"], found["n"]) == (["FSDPActorConfig", "RolloutConfig"], 1e-6, 5)
    assert found["clip"] == [0.2, 0.3, 3.0]
    assert found["rows"] == 20
    assert found["paid"] == {"score": 1.0, "answer": 1.0, "unscored": 0.0}


@pytest.mark.parametrize("key", ["actor_rollout_ref.actor.optim.lrr", "data.train_batch_sise"])
def test_verl_refuses_a_key_it_does_not_have(job: Any, key: str) -> None:
    options = {**NUMBERS, "python": PYTHON, "extra": {key: 1}}
    trainer = Registry.discover().build("trainer", {"use": "verl", **options}, format=Format()).component
    (job.folder / "words.json").write_text(json.dumps(trainer.command(job)[3:]))
    script = Path(__file__).with_name("verl_accepts.py")
    done = subprocess.run(
        [PYTHON, str(script), str(job.engine), str(job.folder / "words.json")],
        capture_output=True, text=True, check=False, timeout=570,
    )  # fmt: skip
    assert done.returncode != 0
    assert key.rpartition(".")[2] in done.stderr


SHARDS = """
import json, sys, torch
from transformers import AutoModelForImageTextToText, AutoProcessor
start, actor = sys.argv[1:]
model = AutoModelForImageTextToText.from_pretrained(start, dtype=torch.float32)
torch.save(model.state_dict(), f"{actor}/model_world_size_1_rank_0.pt")
json.dump({"FSDP_version": 1, "world_size": 1}, open(f"{actor}/fsdp_config.json", "w"))
model.config.save_pretrained(f"{actor}/huggingface")
AutoProcessor.from_pretrained(start).save_pretrained(f"{actor}/huggingface")
"""


def test_verl_s_merger_leaves_the_same_weights_for_our_transformers(job: Any) -> None:
    import torch
    from transformers import AutoModelForImageTextToText

    from openvlt_plugins.foreign.weights import check_weights

    actor, model = job.engine / "global_step_1" / "actor", job.folder / "model"
    (actor / "huggingface").mkdir(parents=True)
    subprocess.run([PYTHON, "-c", SHARDS, str(TINY), str(actor)], check=True, capture_output=True)
    trainer = Registry.discover().build("trainer", {"use": "verl", "python": PYTHON}, format=Format()).component
    job.run = lambda command: subprocess.run(command, check=True, capture_output=True)
    trainer.merge(job, actor, model)
    check_weights(model, TINY)
    ours, told = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.bfloat16, output_loading_info=True)
    start = AutoModelForImageTextToText.from_pretrained(TINY, dtype=torch.bfloat16).state_dict()
    assert not told["missing_keys"]
    assert all(torch.equal(value, start[name]) for name, value in ours.state_dict().items())
