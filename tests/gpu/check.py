"""What only a GPU can show: one line of JSON a check, with the card's name; the exit code is 1 if one fails.

    python tests/gpu/check.py                     # on one GPU of 80 GB, without hub and weights
    python tests/gpu/check.py --size tiny         # the same checks on a CPU, in the shapes of the tests
    python tests/gpu/check.py --only replies resume

Trainings run through ``openvlt train``, as a user runs them, on random models of the published shapes and made rows: an
image of the most pixels the recipes allow, and responses of their length. Memory is compared with the plan's.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models import make

Found = dict[str, Any]
LENGTHS = {"tiny": (64, 16), "3b": (512, 2048), "7b": (512, 2048)}
"""Edge of an image in pixels, and tokens of a response: 262,144 pixels and 2,048 tokens, as the recipes have them."""
MEMORY_WITHIN = 0.1
"""Share by which the peak of memory may differ from the plan."""
DIFFERENCE = 0.02
"""Mean difference of log-probabilities that rounding to bf16 makes between vLLM and the trainer (docs/gpu.md)."""


class Machine:
    """A folder with a home, models and rows, and the command line on it."""

    def __init__(self, folder: Path, size: str | None) -> None:
        import torch

        self.folder, self.size = folder, size
        self.card = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"

    def model(self, size: str) -> Path:
        folder = self.folder / f"model-{self.size or size}"
        return folder if folder.exists() else make(folder, self.size or size)

    def rows(self, size: str, count: int = 4) -> Path:
        from PIL import Image

        edge, tokens = LENGTHS[self.size or size]
        path = self.folder / f"rows-{edge}-{count}.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for number in range(count):
                image = self.folder / f"{edge}-{number}.png"
                Image.effect_noise((edge, edge), 60 + number).convert("RGB").save(image)
                response = "<think>" + "7 " * (tokens // 2 - 16) + "</think>\n<answer>7</answer>"
                row = {"id": str(number), "question": "How many?", "answer": "7", "images": [str(image)]}
                file.write(json.dumps({**row, "response": response}) + "\n")
        return path

    def train(self, name: str, size: str, trainer: Found, count: int = 4, **run: Any) -> list[Found]:
        """Run one phase through the command line; returns its metrics."""
        phase: Found = {"data": {"source": {"use": "rows", "path": str(self.rows(size, count))}}, "min_rows": 1}
        base = {"id": str(self.model(size)), "dtype": "bfloat16", "pixels": [3136, LENGTHS[self.size or size][0] ** 2]}
        recipe = {"name": name, "base": base, "train": {"phase": {**phase, "trainer": trainer}}, "bench": []}
        recipe |= (
            {"verifiers": {"length": {"use": "length"}}, "rewards": {"length": 1.0}} if "prompts" in trainer else {}
        )
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(recipe))  # JSON is YAML
        done = self.command("train", str(path), **run)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return self.metrics(name)

    def command(self, *arguments: str, **run: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "OPENVLT_HOME": str(self.folder / "home"), **run}
        command = [sys.executable, "-m", "openvlt", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def metrics(self, name: str) -> list[Found]:
        record = json.loads((self.folder / "home" / "runs" / name / "run.json").read_text())
        stage = next(each for each in record["stages"] if each["stage_kind"] == "train")
        lines = (self.folder / "home" / stage["folder"] / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def planned(self, name: str) -> float | None:
        """Bytes of a GPU that the plan says a recipe's training holds, without what is not torch's."""
        from openvlt.pipeline import Pipeline, compile_recipe
        from openvlt.recipe import read_recipe
        from openvlt.records import Run
        from openvlt.registry import Registry
        from openvlt.stages.workspace import Workspace
        from openvlt.store import open_home

        registry = Registry.discover()
        recipe = read_recipe(str(self.folder / f"{name}.yaml"), [], {}, None)
        workspace = Workspace(open_home(), registry, recipe.format)
        stages = compile_recipe(recipe, registry, {})
        Pipeline(workspace, recipe, stages, Run(name=name, recipe=name, status="running"))
        stage = next(each for each in stages if each.stage_kind == "train")
        terms = stage.describe(workspace).terms
        return sum(size for term, size in terms.items() if term != "headroom") if terms else None


SFT: Found = {"use": "sft", "batch": 2, "device_batch": 2, "learning_rate": 1e-5, "warmup": 0.0}
GRPO: Found = {
    "use": "grpo",
    "prompts": 2,
    "generations": 2,
    "batch": 4,
    "device_batch": 2,
    "steps": 2,
    "slow_rollouts": True,
}


def replies(machine: Machine) -> Found:
    """hf on the GPU gives the CPU's greedy replies."""
    script = [sys.executable, str(Path(__file__).with_name("replies.py")), str(machine.model("tiny"))]
    found = [
        subprocess.run(script, env={**os.environ, **hidden}, capture_output=True, text=True, check=True).stdout
        for hidden in ({}, {"CUDA_VISIBLE_DEVICES": ""})
    ]
    return {"passed": found[0] == found[1] and len(json.loads(found[0])) == 4}


def _trained(machine: Machine, name: str, size: str, trainer: Found) -> Found:
    metrics = machine.train(
        name, size, {**trainer, "max_tokens": LENGTHS[machine.size or size][1]} if "prompts" in trainer else trainer
    )
    losses = [row["loss"] for row in metrics if "loss" in row]
    peak, planned = max((row.get("peak_memory", 0.0) for row in metrics), default=0.0), machine.planned(name)
    found: Found = {"passed": len(losses) >= 2 and all(map(math.isfinite, losses)), "losses": losses}
    runtime = [row["train_runtime"] for row in metrics if "train_runtime" in row]
    found |= {"seconds_of_a_step": round(runtime[-1] / len(losses), 2)} if runtime else {}
    if machine.card != "CPU" and not (peak and planned):
        return {**found, "passed": False, "error": "no peak of memory, or no plan, to compare"}
    if peak and planned:
        found |= {"peak_gb": round(peak / 1e9, 1), "planned_gb": round(planned / 1e9, 1)}
        found["passed"] = found["passed"] and abs(peak / planned - 1) <= MEMORY_WITHIN
    return found


def resume(machine: Machine) -> Found:
    """A training that is killed goes on to the weights of one that is not."""
    trainer = {**SFT, "save_steps": 1, "epochs": 2}
    machine.train("whole", "tiny", trainer)
    whole = _weights(machine, "whole")
    path = machine.folder / "whole.yaml"
    home = {"OPENVLT_HOME": str(machine.folder / "killed")}
    child = subprocess.Popen(
        [sys.executable, "-m", "openvlt", "train", str(path)], env={**os.environ, **home}, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while child.poll() is None and not list((machine.folder / "killed").rglob("checkpoint-2")):
        time.sleep(0.05)
    child.kill()
    child.wait()
    done = machine.command("train", str(path), **home)
    [job] = (machine.folder / "killed" / "stages").glob("*/job.json")
    from_checkpoint = json.loads(job.read_text())["checkpoint"] is not None  # else it was killed too early or too late
    same = _weights(machine, "whole", machine.folder / "killed") == whole
    return {"passed": done.returncode == 0 and from_checkpoint and same}


def _weights(machine: Machine, name: str, home: Path | None = None) -> bytes:
    home = home or machine.folder / "home"
    run = json.loads((home / "runs" / name / "run.json").read_text())
    return (Path(run["model"]) / "model.safetensors").read_bytes()


def step_time(machine: Machine, kind: str, *options: str) -> Found:
    """A step through openvlt takes about what one of a bare TRL script takes; see ``tests/benchmarks/step_time.py``."""
    edge, tokens = LENGTHS[machine.size or "3b"]
    script = Path(__file__).parents[1] / "benchmarks" / "step_time.py"
    wanted = ["--only", kind, "--model", str(machine.model("3b")), "--edge", str(edge), "--tokens", str(tokens)]
    few = ["--pairs", "1", "--steps", "5", "--batch", "4", "--device-batch", "2", "--generations", "2", *options]
    done = subprocess.run([sys.executable, str(script), *wanted, *few], capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    found: Found = json.loads(done.stdout)
    return {"passed": machine.card == "CPU" or done.returncode == 0, **found}  # on a busy CPU it says nothing


def speed(machine: Machine) -> Found:
    """Tokens a second that hf generates, of a batch of 32 questions."""
    script = [sys.executable, str(Path(__file__).with_name("replies.py")), str(machine.model("3b")), "--speed"]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    found: Found = json.loads(done.stdout)
    return {"passed": found["tokens_a_second"] > 0, **found}


def attention(machine: Machine) -> Found:
    """Every kernel that is installed gives about the loss of the default."""
    kernels = {"sdpa": "torch", "flash2": "flash_attn", "flash3": "flash_attn_interface"}
    there = [kind for kind, package in kernels.items() if find_spec(package)]
    losses = {kind: machine.train(f"attention-{kind}", "tiny", {**SFT, "attention": kind})[0]["loss"] for kind in there}
    missing = [kind for kind in kernels if kind not in there]
    return {"passed": max(losses.values()) - min(losses.values()) < 0.02, "losses": losses, "not_installed": missing}


def rollouts(machine: Machine) -> Found:
    """A colocated vLLM finds the tokens that it wrote as likely as the trainer does, before an update and after it."""
    if machine.card == "CPU" or not find_spec("vllm"):
        return {"passed": True, "skipped": "vLLM is not installed" if machine.card != "CPU" else "vLLM needs a GPU"}
    trainer = {**GRPO, "slow_rollouts": False, "vllm": "colocate", "lora_rank": 16, "max_tokens": 256}
    metrics = machine.train("vllm", "3b", trainer)
    name = "sampling/sampling_logp_difference/mean"
    differences = [row[name] for row in metrics if name in row]
    return {"passed": len(differences) == 2 and 0 < max(differences) <= DIFFERENCE, "differences": differences}


CHECKS: dict[str, Callable[[Machine], Found]] = {
    "replies": replies,
    "sft-tiny": lambda machine: _trained(machine, "sft-tiny", "tiny", SFT),
    "grpo-tiny": lambda machine: _trained(machine, "grpo-tiny", "tiny", GRPO),
    "resume": resume,
    "attention": attention,
    "sft-3b": lambda machine: _trained(machine, "sft-3b", "3b", SFT),
    "grpo-3b": lambda machine: _trained(machine, "grpo-3b", "3b", {**GRPO, "beta": 0.0}),
    "step-sft": lambda machine: step_time(machine, "sft", "--lora-rank", "16"),
    "step-grpo": lambda machine: step_time(machine, "grpo", "--lora-rank", "16"),
    "speed": speed,
    "sft-7b-lora": lambda machine: _trained(machine, "sft-7b-lora", "7b", {**SFT, "lora_rank": 16}),
    "grpo-7b-lora": lambda machine: _trained(machine, "grpo-7b-lora", "7b", {**GRPO, "lora_rank": 16}),
    "vllm": rollouts,
}


def carried_out(machine: Machine, names: list[str]) -> Iterator[Found]:
    """The result of each check; one that raises has failed, with the reason."""
    for name in names:
        started = time.monotonic()
        try:
            found = CHECKS[name](machine)
        except Exception as error:  # noqa: BLE001 - the next check may still pass
            printed = str(getattr(error, "stderr", None) or error).strip()
            found = {"passed": False, "error": f"{type(error).__name__}: {printed.rpartition(chr(10))[2]}"}
        yield {"check": name, "card": machine.card, **found, "seconds": round(time.monotonic() - started, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks what only a GPU can show.")
    parser.add_argument("--size", choices=["tiny"], help="the shape of all models, in place of each check's own")
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=list(CHECKS), help="names of checks")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OPENVLT_HOME"] = str(Path(folder, "home"))
        for found in carried_out(Machine(Path(folder), options.size), options.only):
            print(json.dumps(found), flush=True)
            failed += not found["passed"]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
