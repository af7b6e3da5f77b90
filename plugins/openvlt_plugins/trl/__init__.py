"""Supervised, preference and reinforcement training on TRL's own trainers."""

from __future__ import annotations

from openvlt import Register, hookimpl

REQUIRES = ("torch", "transformers", "trl", "accelerate", "peft", "datasets")


@hookimpl
def register_trainers(register: Register) -> None:
    for name, target, summary in (
        ("sft", "sft:Sft", "supervised fine-tuning on traces, by TRL's SFTTrainer"),
        ("grpo", "grpo:Grpo", "GRPO with the recipe's verifiers, by TRL's GRPOTrainer"),
        ("dpo", "dpo:Dpo", "preferences between traces, by TRL's DPOTrainer"),
    ):
        register(name, f"openvlt_plugins.trl.{target}", summary=summary, requires=REQUIRES)
