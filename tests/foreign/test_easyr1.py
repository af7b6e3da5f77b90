"""EasyR1's own classes accept what openvlt writes for it, and each number of OpenVLThinker arrives.

Skipped without ``OPENVLT_VERL_PYTHON`` (see `test_verl`) and ``OPENVLT_EASYR1``, a checkout of hiyouga/EasyR1, which is on
no package index.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_verl import NUMBERS, PYTHON

from openvlt import Format, handed_over
from openvlt.registry import Registry
from openvlt_plugins.foreign.easyr1 import template

SOURCES = os.environ.get("OPENVLT_EASYR1", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PYTHON and SOURCES), reason="OPENVLT_EASYR1 names no checkout of EasyR1"),
]

OPTIONS = {name: value for name, value in NUMBERS.items() if name != "schedule"}
ACTOR, ROLLOUT = "worker.actor", "worker.rollout"
ARRIVED = {
    f"{ACTOR}.optim.lr": 1e-6, f"{ACTOR}.optim.weight_decay": 0.01, f"{ACTOR}.optim.lr_warmup_ratio": 0.0,
    f"{ACTOR}.optim.lr_scheduler_type": "constant", f"{ACTOR}.max_grad_norm": 1.0, f"{ROLLOUT}.temperature": 1.0,
    f"{ROLLOUT}.top_p": 0.99, f"{ROLLOUT}.n": 5, f"{ROLLOUT}.seed": 7, "data.seed": 7,
    "data.rollout_batch_size": 512, f"{ACTOR}.global_batch_size": 128,
    f"{ACTOR}.micro_batch_size_per_device_for_update": 2, f"{ACTOR}.micro_batch_size_per_device_for_experience": 4,
    "worker.ref.micro_batch_size_per_device_for_experience": 4, "data.max_prompt_length": 6144,
    f"{ROLLOUT}.prompt_length": 6144, "data.max_response_length": 2048, f"{ROLLOUT}.response_length": 2048,
    f"{ACTOR}.use_kl_loss": True, f"{ACTOR}.disable_kl": False, f"{ACTOR}.kl_coef": 0.01,
    f"{ACTOR}.kl_penalty": "low_var_kl", f"{ACTOR}.clip_ratio_low": 0.2, f"{ACTOR}.clip_ratio_high": 0.3,
    f"{ACTOR}.clip_ratio_dual": 3.0, f"{ACTOR}.loss_avg_mode": "token", f"{ACTOR}.loss_type": "default",
    f"{ACTOR}.model.freeze_vision_tower": True, f"{ACTOR}.offload.offload_params": True,
    f"{ACTOR}.offload.offload_optimizer": True, f"{ROLLOUT}.gpu_memory_utilization": 0.6,
    f"{ROLLOUT}.tensor_parallel_size": 2, "trainer.total_epochs": 5, "trainer.max_steps": None, "trainer.nnodes": 1,
    "trainer.n_gpus_per_node": 8, "trainer.save_freq": 10, "trainer.save_limit": 2, "trainer.val_freq": -1,
    "trainer.val_before_train": False, "trainer.load_checkpoint_path": None, "algorithm.adv_estimator": "grpo",
    "data.max_pixels": 262144, "data.min_pixels": 3136, "data.video_fps": 1.5,
    "worker.reward.reward_function_name": "compute_score",
}  # fmt: skip


def accepted(job: Any, options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    trainer = Registry.discover().build("trainer", {"use": "easyr1", **options}, format=Format()).component
    job.engine.mkdir(exist_ok=True)
    (job.engine / "prompt.jinja").write_text(template(job.format), encoding="utf-8")
    (job.folder / "words.json").write_text(json.dumps(trainer.command(job)[3:]))
    script = Path(__file__).with_name("easyr1_accepts.py")
    return subprocess.run(
        [PYTHON, str(script), str(job.engine), str(job.folder / "words.json")],
        capture_output=True, text=True, check=False, timeout=570, env={**os.environ, "PYTHONPATH": SOURCES},
    )  # fmt: skip


def test_easyr1_accepts_the_configuration_the_data_and_the_reward(job: Any) -> None:
    with handed_over(job, "easyr1", job.engine) as server:
        done = accepted(job, {**OPTIONS, "python": PYTHON, "extra": {"data.video_fps": 1.5}})
        assert done.returncode == 0, done.stderr[-4000:]
        assert server.verdicts() == {"answer/correct": 1}
    found = json.loads(done.stdout.rpartition("FOUND")[2])
    assert {key: found["config"].get(key, "absent") for key in ARRIVED} == ARRIVED
    assert found["config"]["trainer.save_checkpoint_path"] == str(job.engine)
    assert (found["rows"], found["type"]) == (20, "batch")
    assert found["paid"] == [{"overall": 1.0, "answer": 1.0, "unscored": 0.0}]
    assert "What is 0 + 0?" + job.format.suffix in found["asked"]


def test_easyr1_refuses_a_key_it_does_not_have(job: Any) -> None:
    with handed_over(job, "easyr1", job.engine):
        done = accepted(job, {**OPTIONS, "python": PYTHON, "extra": {"worker.actor.optim.lrr": 1}})
    assert done.returncode != 0
    assert "lrr" in done.stderr
