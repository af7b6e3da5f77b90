"""Stands for verl and EasyR1 in tests: reads what it is given, asks for rewards, saves in their layout, dies on request.

What it "learns" is the sum of all rewards so far, so that a resume that loses or repeats a step shows. The environment
variable ``FAKE_ENGINE`` says what goes wrong: ``{"at": 3, "how": "kill" | "raise" | "leave" | "hang" | "broken"}``; of these,
``broken`` saves other weights than it was given. Whatever it is told is written to ``told.json``.
"""

import json
import os
import runpy
import signal
import sys
import time
from pathlib import Path

from pyarrow import parquet

RIGHT = "<think>t</think>\n<answer>{}</answer>"


def settings():
    words = [word.partition("=") for word in sys.argv[1:]]
    return {key.lstrip("+"): json.loads(value) for key, _, value in words}


def save(folder, step, learned, told, tracker, content):
    actor = folder / f"global_step_{step}" / "actor"
    (actor / "huggingface").mkdir(parents=True)
    shard = {"learned": learned, "start": told["model"], "broken": fault().get("how") == "broken"}
    (actor / "model_world_size_1_rank_0.pt").write_text(json.dumps(shard))
    (folder / tracker).write_text(content)


def fault():
    return json.loads(os.environ.get("FAKE_ENGINE", "{}"))


def train(told, form):
    folder = Path(told["folder"])
    (folder.parent / "told.json").write_text(json.dumps(told["all"]))
    tracker = {"verl": "latest_checkpointed_iteration.txt", "easyr1": "checkpoint_tracker.json"}[form]
    done, learned, at = told["resumed"], 0.0, fault().get("at")
    if done:
        shard = folder / f"global_step_{done}" / "actor" / "model_world_size_1_rank_0.pt"
        learned = json.loads(shard.read_text())["learned"]
    print(f"(TaskRunner pid=1) resuming from {done}", flush=True)
    rows = [row for file in told["files"] for row in parquet.read_table(file).to_pylist()]
    print(f"dataset len: {len(rows)}\nfilter dataset len: {len(rows) - 1}", flush=True)
    Path(told["metrics"]).write_text("")  # as both do
    score = runpy.run_path(told["reward"])["compute_score"]
    for step in range(done + 1, told["steps"] + 1):
        if step == at and fault()["how"] == "raise":
            raise RuntimeError(f"CUDA out of memory in step {step}")
        if step == at and fault()["how"] == "kill" and not (folder / "killed").exists():
            (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if step == at and fault()["how"] == "leave":
            return
        if step == at and fault()["how"] == "hang":
            time.sleep(600)
        reward = told["score"](score, rows, step)
        learned += reward
        line = {"critic/score/mean": reward, "step_seconds": 0.1}
        with Path(told["metrics"]).open("a") as file:
            nested = {"reward": {"overall": reward}}
            file.write(json.dumps({"step": step, "data": line} if form == "verl" else {"step": step, **nested}) + "\n")
        if step % told["save_every"] == 0 or step == told["steps"]:
            content = str(step) if form == "verl" else json.dumps({"last_global_step": step})
            save(folder, step, learned, told, tracker, content)


def merge(shards, target):
    """Both mergers: the start, and what was learned."""
    import shutil

    shard = json.loads((shards / "model_world_size_1_rank_0.pt").read_text())
    shutil.copytree(shard["start"], target, dirs_exist_ok=True)
    (target / "skill.json").write_text(json.dumps({"skill": shard["learned"]}))
    if shard["broken"]:
        header = json.dumps({"w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}).encode()
        (target / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
