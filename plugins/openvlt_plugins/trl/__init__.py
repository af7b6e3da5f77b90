"""Supervised and reinforcement training on TRL's own trainers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openvlt import hookimpl

if TYPE_CHECKING:
    from openvlt import Register

REQUIRES = ("torch", "transformers", "trl", "accelerate", "peft", "datasets")


@hookimpl
def register_trainers(register: Register) -> None:
    register(
        "sft",
        "openvlt_plugins.trl.sft:Sft",
        summary="supervised fine-tuning on traces, by TRL's SFTTrainer",
        requires=REQUIRES,
    )
    register(
        "grpo",
        "openvlt_plugins.trl.grpo:Grpo",
        summary="GRPO with the recipe's verifiers, by TRL's GRPOTrainer",
        requires=REQUIRES,
    )
