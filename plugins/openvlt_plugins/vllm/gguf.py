"""Converts a GGUF file to a folder that vLLM can load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from openvlt import Model, UsageError, first_line


@contextmanager
def as_folder(model: Model) -> Iterator[Model]:
    """The model; a GGUF file is converted to a temporary folder with safetensors.

    Raises:
        UsageError: there is no such file, or transformers does not support its architecture.
    """
    if not model.id.endswith(".gguf"):
        yield model
        return
    with TemporaryDirectory(prefix="openvlt-gguf-") as folder:
        try:
            _unpack(Path(model.id), Path(folder), "float32" if model.dtype == "auto" else model.dtype)
        except ImportError:
            raise
        except Exception as error:  # a damaged file raises whatever its parser raises
            raise UsageError(
                f"The model '{model.id}' cannot be loaded: {first_line(error)}.",
                "Give a GGUF file that transformers can read.",
            ) from error
        yield replace(model, id=folder)


def _unpack(path: Path, folder: Path, dtype: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    network = AutoModelForCausalLM.from_pretrained(
        **where, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
    )
    fields = {name: value for name, value in network.config.to_dict().items() if name != "quantization_config"}
    # transformers refuses to save a network loaded from GGUF, so its weights are copied to a plain one.
    plain = type(network)(type(network.config)(**fields))
    plain.load_state_dict(network.state_dict())
    plain.generation_config.eos_token_id = network.config.eos_token_id
    plain.to(getattr(torch, dtype)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where, trust_remote_code=False).save_pretrained(folder)
