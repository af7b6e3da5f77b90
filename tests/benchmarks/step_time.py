"""Seconds of a step through openvlt over those of a bare TRL script: at most 1.03 (SFT and GRPO).

    uv run python tests/benchmarks/step_time.py                     # the tiny model, pairs of runs in turn
    python tests/benchmarks/step_time.py --model FOLDER --edge 512 --tokens 2048 --pairs 1 --only sft

Both train the same model on the same rows with the same configuration and seed, which equal losses prove. A step is from
the end of the one before to its own, so that it includes reading rows, rewards and logging; the first two are left out.
Of each pair the medians are compared, by the clock and by the CPU time of the process. This file is also the plugin
whose trainers are openvlt's with a clock, and the bare script.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import openvlt_tasks
from openvlt import Claim, Format, Verdict, Verifier, hookimpl
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.sft import Sft

Numbers = dict[str, Any]
BAR = 1.03
WARM = 2
TIMES = "OPENVLT_STEP_TIMES"


def clock() -> Any:
    """A callback that writes when each step ended, by the clock and by the process, and its loss, to $TIMES."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.ends: list[tuple[float, float]] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.ends.append((time.perf_counter(), time.process_time()))

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            losses = [row["loss"] for row in state.log_history if "loss" in row]
            Path(os.environ[TIMES]).write_text(json.dumps({"ends": self.ends, "losses": losses}))

    return Clock()


class _Timed:
    def trainer(self, job: Any, base: Any, **shared: Any) -> Any:
        shared["callbacks"].append(clock())
        return super().trainer(job, base, **shared)  # type: ignore[misc]


@dataclass(frozen=True)
class TimedSft(_Timed, Sft):
    """openvlt's, with a clock."""


@dataclass(frozen=True)
class TimedGrpo(_Timed, Grpo):
    """openvlt's, with a clock."""


@dataclass(frozen=True)
class Parity(Verifier):
    """Pays for an even number of spaces."""

    inline: ClassVar[bool] = True

    def verify(self, claim: Claim) -> Verdict:
        return Verdict.scored(even(claim.response))


def even(text: str) -> float:
    return float(text.count(" ") % 2 == 0)


@hookimpl
def register_verifiers(register: Any) -> None:
    register("parity", Parity, summary="whether the spaces are even")


@hookimpl
def register_trainers(register: Any) -> None:
    register("timed-sft", TimedSft, summary="sft with a clock")
    register("timed-grpo", TimedGrpo, summary="grpo with a clock")


def bare(kind: str, model: str, rows: str, options: Numbers) -> None:
    """A script as TRL's documentation writes it, with the fields that openvlt's options stand for."""
    import torch
    from datasets import Dataset, Image
    from transformers import AutoModelForImageTextToText, AutoProcessor, set_seed

    from openvlt_plugins.trl.dataset import in_epochs
    from openvlt_plugins.trl.rollouts import forbidden

    gpu, tokens, pixels = torch.cuda.is_available(), options["tokens"], options["pixels"]
    read = [json.loads(line) for line in Path(rows).read_text().splitlines()]
    count = options["steps"] * options["batch"]
    chosen = [read[index] for index in in_epochs(len(read), count, 0)]
    columns: dict[str, list[Any]] = {
        "prompt": [
            [
                {
                    "role": "user",
                    "content": [{"type": "image"}, {"type": "text", "text": row["question"] + Format().suffix}],
                }
            ]
            for row in chosen
        ],
        "images": [row["images"] for row in chosen],
    }
    if kind == "sft":
        reply = [[{"role": "assistant", "content": [{"type": "text", "text": row["response"]}]}] for row in chosen]
        columns["completion"] = reply
    data = Dataset.from_dict(columns).cast_column("images", [Image()])
    processor = AutoProcessor.from_pretrained(model, padding_side="left")
    processor.image_processor.size = {"shortest_edge": pixels[0], "longest_edge": pixels[1]}
    fields: Numbers = {
        "output_dir": options["folder"], "seed": 0, "learning_rate": 1e-6, "lr_scheduler_type": "constant",
        "warmup_steps": 0.0, "weight_decay": 0.0, "max_grad_norm": 1.0, "num_train_epochs": 1, "logging_steps": 1,
        "per_device_train_batch_size": options["device_batch"], "disable_tqdm": True, "report_to": "none",
        "gradient_accumulation_steps": options["batch"] // options["device_batch"], "save_strategy": "no",
        "remove_unused_columns": False, "bf16": gpu, "use_cpu": not gpu, "gradient_checkpointing": gpu,
    }  # fmt: skip
    set_seed(0)
    base = torch.bfloat16 if options["lora_rank"] and gpu else torch.float32
    policy = AutoModelForImageTextToText.from_pretrained(model, dtype=base)
    for name, parameter in policy.named_parameters():
        parameter.requires_grad_("visual" not in name)
    shared: Numbers = {"model": policy, "processing_class": processor, "train_dataset": data, "callbacks": [clock()]}
    if options["lora_rank"]:
        from peft import LoraConfig

        rank = options["lora_rank"]
        layers = r".*language_model.*_proj"
        shared["peft_config"] = LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules=layers, task_type="CAUSAL_LM"
        )  # fmt: skip
    if kind == "sft":
        from trl import SFTConfig, SFTTrainer

        ways: Numbers = {"shuffle_dataset": False, "train_sampling_strategy": "sequential", "max_length": None}
        policy.accepts_loss_kwargs = True
        trainer = SFTTrainer(args=SFTConfig(**fields, **ways, completion_only_loss=True), **shared)
    else:
        from trl import GRPOConfig, GRPOTrainer

        def spaces(completions: Any, **_: Any) -> list[float]:
            return [even(text[0]["content"]) for text in completions]

        args = GRPOConfig(
            **fields, max_steps=options["steps"], shuffle_dataset=False, num_iterations=1, temperature=1.0, top_p=1.0,
            generation_batch_size=options["batch"], num_generations=options["generations"], beta=0.0, epsilon=0.2,
            epsilon_high=0.3, delta=3.0, loss_type="bnpo", scale_rewards="group", max_completion_length=tokens,
            generation_kwargs={"suppress_tokens": forbidden(processor)},
        )  # fmt: skip
        trainer = GRPOTrainer(reward_funcs=spaces, args=args, **shared)
    trainer.train()


def made_rows(folder: Path, edge: int, tokens: int, count: int = 32) -> Path:
    """Questions about pictures of noise, with responses of about so many tokens."""
    from PIL import Image

    chance, path = random.Random(0), folder / "rows.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            picture = folder / f"{number}.png"
            Image.effect_noise((edge, edge), 60 + number).convert("RGB").save(picture)
            response = f"<think>{' '.join('7' * chance.randint(tokens // 4, tokens // 2))}</think>\n<answer>7</answer>"
            row = {"id": str(number), "question": f"What is {number} + 3?", "answer": "none of these"}
            file.write(json.dumps({**row, "images": [str(picture)], "response": response}) + "\n")
    return path


def through_openvlt(kind: str, model: str, rows: str, options: Numbers) -> list[str]:
    """The command of a recipe that says the same."""
    trainer: Numbers = {
        "use": f"timed-{kind}", "learning_rate": 1e-6, "schedule": "constant", "warmup": 0.0, "weight_decay": 0.0,
        "batch": options["batch"], "device_batch": options["device_batch"], "lora_rank": options["lora_rank"],
    }  # fmt: skip
    if kind == "sft":
        trainer |= {"epochs": -(-options["steps"] * options["batch"] // options["rows"]), "save_steps": 1000}
    else:
        prompts, groups = options["batch"] // options["generations"], {"generations": options["generations"]}
        trainer |= {"prompts": prompts, **groups, "steps": options["steps"], "beta": 0.0, "save_every": 1000}
        trainer["max_tokens"] = options["tokens"]
    phase = {"data": {"source": {"use": "rows", "path": rows}}, "min_rows": 1, "trainer": trainer}
    recipe: Numbers = {
        "name": "timed", "base": {"id": model, "dtype": "bfloat16", "pixels": options["pixels"]}, "bench": [],
        "train": {"phase": phase},
    }  # fmt: skip
    if kind == "grpo":
        recipe |= {"verifiers": {"parity": {"use": "parity"}, "answer": {"use": "answer"}}}
        recipe |= {"rewards": {"parity": 1.0, "answer": 1.0}}
    path = Path(options["folder"], "recipe.yaml")
    path.write_text(json.dumps(recipe))  # JSON is YAML
    return [sys.executable, "-m", "openvlt", "--plugin", __file__, "train", str(path)]


def timed(kind: str, way: str, model: str, rows: str, options: Numbers) -> Numbers:
    """Carry out one training; median seconds of a step by the clock and by the CPU, and the losses."""
    with tempfile.TemporaryDirectory() as folder:
        options = {**options, "folder": folder}
        command = [sys.executable, __file__, "--bare", kind, model, rows, json.dumps(options)]
        if way == "openvlt":
            command = through_openvlt(kind, model, rows, options)
        times = Path(folder, "times.json")
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "OPENVLT_HOME": str(Path(folder, "home")),
            TIMES: str(times),
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{way}: {done.stderr[-2000:]}")
        found = json.loads(times.read_text())
    ends = found["ends"][WARM:]
    steps = [[late - early for early, late in zip(one, two, strict=True)] for one, two in pairwise(ends)]
    wall, cpu = (median(column) for column in zip(*steps, strict=True))
    return {"wall": wall, "cpu": cpu, "losses": found["losses"]}


def compared(kind: str, model: str, rows: str, options: Numbers, pairs: int) -> Numbers:
    """Ratios of openvlt's steps to the bare ones: the median of the pairs, whose order alternates."""
    found: dict[str, list[Numbers]] = {"openvlt": [], "bare": []}
    for pair in range(pairs):
        for way in sorted(found, reverse=bool(pair % 2)):
            found[way].append(timed(kind, way, model, rows, options))
    ratios: dict[str, list[float]] = {
        measure: [one[measure] / other[measure] for one, other in zip(found["openvlt"], found["bare"], strict=True)]
        for measure in ("wall", "cpu")
    }
    # SFT through openvlt trains whole epochs, the bare script as many steps as asked for.
    losses = zip(found["openvlt"][0]["losses"], found["bare"][0]["losses"], strict=False)
    apart = max(abs(one - other) for one, other in losses)
    return {
        "trainer": kind, "seconds": round(median(each["wall"] for each in found["bare"]), 4),
        **{measure: round(median(each), 3) for measure, each in ratios.items()},
        "pairs": {measure: [round(each, 3) for each in values] for measure, values in ratios.items()},
        "losses_apart": apart,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Steps through openvlt against those of a bare TRL script.")
    parser.add_argument("--only", choices=["sft", "grpo"])
    parser.add_argument("--model", default=str(Path(openvlt_tasks.__path__[0], "models", "tiny_vl")))
    parser.add_argument("--edge", type=int, default=64, help="of an image, in pixels")
    parser.add_argument("--tokens", type=int, default=64, help="of a response")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device-batch", type=int, default=8)
    parser.add_argument("--generations", type=int, default=4)
    parser.add_argument("--lora-rank", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=5)
    chosen = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        rows = made_rows(Path(folder), chosen.edge, chosen.tokens)
        options = {**vars(chosen), "pixels": [3136, chosen.edge**2], "rows": 32}
        for kind in [chosen.only] if chosen.only else ["sft", "grpo"]:
            found = compared(kind, chosen.model, str(rows), options, chosen.pairs)
            print(json.dumps(found), flush=True)
            failed = failed or found["wall"] > BAR
    return int(failed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        bare(sys.argv[2], sys.argv[3], sys.argv[4], json.loads(sys.argv[5]))
    else:
        sys.exit(main())
