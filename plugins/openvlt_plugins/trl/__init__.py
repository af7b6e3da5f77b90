"""Supervised, preference and reinforcement training on TRL's own trainers."""

from openvlt import hookimpl


@hookimpl
def register_trainers(register):  # type: ignore[no-untyped-def]
    register("sft", "openvlt_plugins.trl.sft:Sft", summary="supervised fine-tuning on traces, by TRL's SFTTrainer")
    register("grpo", "openvlt_plugins.trl.grpo:Grpo", summary="GRPO with the recipe's verifiers, by TRL's GRPOTrainer")
    register("dpo", "openvlt_plugins.trl.dpo:Dpo", summary="preferences between traces, by TRL's DPOTrainer")
