"""Supervised, preference and reinforcement training with TRL's trainers."""

from __future__ import annotations

from openvlt import Register, hookimpl

REQUIRES = ("torch", "transformers", "trl", "accelerate", "peft", "datasets")


@hookimpl
def register_trainers(register: Register) -> None:
    for name, target, summary in (
        ("sft", "sft:Sft", "supervised fine-tuning on traces, with TRL's SFTTrainer"),
        ("grpo", "grpo:Grpo", "GRPO on the recipe's rewards, with TRL's GRPOTrainer"),
        ("dpo", "dpo:Dpo", "preferences between traces, with TRL's DPOTrainer"),
    ):
        register(name, f"openvlt_plugins.trl.{target}", summary=summary, requires=REQUIRES)
