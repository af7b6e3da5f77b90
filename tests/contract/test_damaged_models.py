"""A damaged model folder is refused with the file, before a backend loads it; what is left the backend refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from openvlt.engines import check_files
from openvlt.errors import OpenvltError, UsageError
from openvlt.records import Model

Damage = Callable[[Path], object]


def _write(name: str, text: str) -> Damage:
    return lambda folder: (folder / name).write_text(text)


def _cut(name: str, left: int) -> Damage:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:left])


def _remove(*names: str) -> Damage:
    return lambda folder: [(folder / name).unlink() for name in names]


def _only_bin(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _config(**values: object) -> Damage:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **values}))

    return change


NAMED: list[tuple[Damage, str]] = [
    (_cut("model.safetensors", 0), "model.safetensors"),
    (_cut("model.safetensors", 9), "model.safetensors"),
    (_cut("model.safetensors", 5000), "model.safetensors"),
    (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 100), "model.safetensors"),
    (_write("config.json", "{"), "config.json"),
    (_write("config.json", "[]"), "config.json"),
    (_write("config.json", '{"model_type": 7}'), "config.json"),
    (_write("tokenizer.json", "["), "tokenizer.json"),
    (_write("tokenizer_config.json", "[" * 100_000), "tokenizer_config.json"),
    (_write("model.safetensors.index.json", '{"weight_map": {"a": "gone.safetensors"}}'), "gone.safetensors"),
    (_write("model.safetensors.index.json", '{"weight_map": []}'), "model.safetensors.index.json"),
]


@pytest.mark.parametrize(("damage", "file"), NAMED)
def test_a_damaged_file_is_named(damage: Damage, file: str, text_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(text_model, tmp_path / "model"))
    check_files(folder)
    damage(folder)
    with pytest.raises(UsageError, match=f"The model file .*{file} is damaged"):
        check_files(folder)


@pytest.mark.parametrize(
    "damage",
    [
        *(damage for damage, _ in NAMED[:-2]),  # an index beside whole weights is not read
        _config(vocab_size="many"),
        _config(hidden_size=-3),
        _config(num_attention_heads=[]),
        _config(model_type="no-such-type"),
        _config(dtype="float7"),
        _config(auto_map={"AutoConfig": "x.X"}, model_type="mine"),
        _remove("tokenizer.json", "tokenizer_config.json"),
        _remove("config.json"),
        _write("tokenizer.json", "{}"),
        _write("tokenizer.json", '{"version": "1.0", "model": {"type": "BPE", "vocab": 3}}'),
        _only_bin,
        lambda folder: [each.unlink() for each in folder.iterdir()],
    ],
)
def test_the_backend_hf_refuses_what_it_cannot_load(damage: Damage, text_model: Path, tmp_path: Path) -> None:
    from openvlt_plugins.hf.loading import load

    folder = Path(shutil.copytree(text_model, tmp_path / "model"))
    damage(folder)
    with pytest.raises(UsageError, match=r"The model '.*' cannot be loaded: .+"):
        load(Model(id=str(folder)))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=st.binary(max_size=200), name=st.sampled_from(["config.json", "model.safetensors", "tokenizer.json"]))
def test_any_bytes_are_a_model_file_or_a_sentence(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    try:
        check_files(tmp_path)
    except OpenvltError as error:
        assert name in str(error)
    finally:
        (tmp_path / name).unlink()


def test_a_model_without_a_tokenizer_is_refused(text_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(text_model, tmp_path / "model"))
    _remove("tokenizer.json", "tokenizer_config.json")(folder)
    with pytest.raises(UsageError, match="has no tokenizer"):
        check_files(folder)


def test_a_gguf_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGML")
    with pytest.raises(UsageError, match=r"a\.gguf is damaged: it does not begin as a GGUF file"):
        check_files(tmp_path / "a.gguf")
