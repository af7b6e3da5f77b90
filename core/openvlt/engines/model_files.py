"""Finds damaged files of a local model before any work: only headers and configurations are read, never the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openvlt.errors import UsageError
from openvlt.store import decode

_CONFIGURATIONS = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "processor_config.json",
    "preprocessor_config.json", "adapter_config.json", "model.safetensors.index.json",
)  # fmt: skip
_TOKENIZERS = ("tokenizer.json", "*.model", "vocab.*", "*.tiktoken", "tekken.json")
_LONGEST_HEADER = 100_000_000  # bytes; the limit of safetensors itself


def check_files(path: Path) -> None:
    """Refuse a model whose files are damaged; whether a backend can run it is for the backend to say.

    Args:
        path: a folder, or a GGUF file.

    Raises:
        UsageError: which file is damaged, and how.
    """
    if path.is_file():
        if path.suffix == ".gguf":
            _check_gguf(path)
        return
    for name in _CONFIGURATIONS:
        if (file := path / name).is_file():
            content = _object(file, file.read_bytes())
            if name == "model.safetensors.index.json":
                _check_index(file, content)
            if name == "config.json" and not isinstance(content.get("model_type", ""), str):
                raise _damaged(file, "its model_type is not text")
    weights = sorted(path.glob("*.safetensors"))
    for file in weights:
        _check_safetensors(file)
    if weights and (path / "config.json").is_file() and not any(next(path.glob(name), None) for name in _TOKENIZERS):
        # transformers would load a tokenizer without words and say nothing
        raise UsageError(f"The model {path} has no tokenizer.", "Copy tokenizer.json from the model it was made of.")


def _check_safetensors(file: Path) -> None:
    """The format: 8 bytes with the length of a JSON header, the header, and the tensors without a gap."""
    size = file.stat().st_size
    with file.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        if size < 8 or length > min(size - 8, _LONGEST_HEADER):
            raise _damaged(file, "its header is not complete")
        header = _object(file, content.read(length))
    tensors = [each for name, each in header.items() if name != "__metadata__"]
    try:
        end = max((int(each["data_offsets"][1]) for each in tensors), default=0)
    except (TypeError, KeyError, IndexError, ValueError):
        raise _damaged(file, "its header does not say where the tensors are") from None
    if 8 + length + end != size:
        raise _damaged(file, f"it has {size:,} bytes, and its header describes {8 + length + end:,}")


def _check_index(file: Path, content: dict[str, Any]) -> None:
    shards = content.get("weight_map")
    if not isinstance(shards, dict):
        raise _damaged(file, "it has no weight_map")
    for shard in sorted(set(map(str, shards.values()))):
        if not (file.parent / shard).is_file():
            raise _damaged(file.parent / shard, f"it does not exist, and {file.name} names it")


def _check_gguf(file: Path) -> None:
    with file.open("rb") as content:
        if content.read(4) != b"GGUF":
            raise _damaged(file, "it does not begin as a GGUF file")


def _object(file: Path, content: bytes) -> dict[str, Any]:
    try:
        return decode(dict[str, Any], content)
    except ValueError:
        raise _damaged(file, "it is not a JSON object") from None


def _damaged(file: Path, how: str) -> UsageError:
    return UsageError(f"The model file {file} is damaged: {how}.", "Download or copy the model again.")
