"""A plugin that lets FSDP2 run on CPUs, and gives GRPO completions that do not depend on the number of processes.

accelerate refuses FSDP on a CPU: its state is MULTI_CPU before FSDP is looked at. Here it says MULTI_GPU, on gloo, while
the device stays the CPU. It acts in the processes of a training alone.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any

from openvlt import hookimpl

WORDS = range(100, 160)
"""Token ids that completions consist of."""


def completion(prompt: Any, sample: int, step: int) -> list[int]:
    """A completion that only the prompt, the sample and the step decide."""
    digest = sha256(repr((list(prompt), sample, step)).encode()).digest()
    return [WORDS[byte % len(WORDS)] for byte in digest[: 3 + digest[0] % 4]]


def fixed(self: Any, prompt_ids: Any, *_: Any, **__: Any) -> tuple[list[list[int]], None]:
    seen: dict[str, int] = {}
    made = []
    for prompt in prompt_ids:
        sample = seen[repr(prompt)] = seen.get(repr(prompt), -1) + 1
        made.append(completion(prompt, sample, self.state.global_step))
    return made, None


def shim() -> None:
    from accelerate import state

    def backend(self: Any, *_: Any, **__: Any) -> tuple[str, Any]:
        import torch

        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group("gloo")
        return "gloo", state.DistributedType.MULTI_GPU

    state.PartialState._prepare_backend = backend


@hookimpl
def register_trainers(register: Any) -> None:
    if "train_worker" not in " ".join(os.sys.argv):  # type: ignore[attr-defined]
        return
    if os.environ.get("OPENVLT_SHARDED") == "fsdp2" and "RANK" in os.environ:
        shim()
    if os.environ.get("OPENVLT_COMPLETIONS"):
        from openvlt_plugins.trl import imports

        with imports.without_vllm():
            from trl import GRPOTrainer
        GRPOTrainer._generate_single_turn = fixed
