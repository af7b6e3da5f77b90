"""Fine-tuning and reinforcement of the tiny model with TRL, on a CPU."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from tiny_vl.easy import Question, picture
from tiny_vl.prompts import THINK, about_image, reply
from tiny_vl.traces import POLICY_REPLY, Trace

LOG = logging.getLogger(__name__)

ON_CPU: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.05,
    "remove_unused_columns": False,
}


def load(folder: Path) -> Qwen2_5_VLForConditionalGeneration:
    """The model in float32, its tower frozen."""
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        folder, dtype="float32", trust_remote_code=False, use_safetensors=True
    )
    model.model.visual.requires_grad_(False)
    return model


def fine_tune(
    base: Path,
    traces: Sequence[Trace],
    out: Path,
    epochs: float = 8,
    rate: float = 1e-3,
    batch: int = 16,
    seed: int = 0,
) -> None:
    """Fine-tunes the base on traces and saves it; prompt + completion, loss on the completion."""
    rows = [
        {
            "prompt": about_image(trace.question.text + THINK),
            "completion": reply(trace.target),
            "images": [picture(trace.question.split, trace.question.image)],
        }
        for trace in traces
    ]
    config = SFTConfig(
        output_dir=str(out),
        max_length=None,
        num_train_epochs=epochs,
        learning_rate=rate,
        per_device_train_batch_size=batch,
        logging_steps=20,
        seed=seed,
        **ON_CPU,
    )
    processor = AutoProcessor.from_pretrained(base, trust_remote_code=False)
    trainer = SFTTrainer(load(base), config, train_dataset=Dataset.from_list(rows), processing_class=processor)
    _run(trainer, processor, out, "sft")


def reinforce(
    start: Path,
    questions: Sequence[Question],
    out: Path,
    steps: int = 70,
    rate: float = 2e-4,
    seed: int = 0,
    **more: Any,
) -> None:
    """Reinforces a fine-tuned model and saves it: 128 completions a step, 8 to a prompt."""
    rows = [
        {
            "prompt": about_image(question.text + THINK),
            "images": [picture(question.split, question.image)],
            "gold": question.answer,
        }
        for question in questions
    ]
    config = GRPOConfig(
        output_dir=str(out),
        max_steps=steps,
        learning_rate=rate,
        per_device_train_batch_size=128,
        num_generations=8,
        max_completion_length=72,
        temperature=1.0,
        beta=0.0,
        logging_steps=5,
        seed=seed,
        **ON_CPU | more,
    )
    processor = AutoProcessor.from_pretrained(start, trust_remote_code=False)
    trainer = GRPOTrainer(
        load(start), reward, config, train_dataset=Dataset.from_list(rows), processing_class=processor
    )
    _run(trainer, processor, out, "grpo")


def reward(completions: list[Any], gold: list[str], **_: Any) -> list[float]:
    """1 for the correct answer, plus 0.1 for the correct format."""
    found = [POLICY_REPLY.fullmatch(completion[0]["content"]) for completion in completions]
    return [
        0.0 if match is None else 0.1 + (match.group(2).lower() == answer)
        for match, answer in zip(found, gold, strict=True)
    ]


def _run(trainer: Any, processor: Any, out: Path, name: str) -> None:
    start = time.monotonic()
    trainer.train()
    LOG.info("%s: %.0f s", name, time.monotonic() - start)
    trainer.model.save_pretrained(out)
    processor.save_pretrained(out)
