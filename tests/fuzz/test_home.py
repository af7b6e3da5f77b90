"""Records of the home that were damaged, and models of other people."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from entrance import attempt, command, fuzzed
from hypothesis import strategies as st
from odd import damaged, mutated

from openvlt.engines import check_files
from openvlt.records import Model

RECORDS = [
    "run.json",
    "recipe.json",
    "models.json",
    "result.json",
    "stage.json",
    "rejected.jsonl",
    "rows.jsonl",
    "digests.json",
]
COMMANDS = [
    ("runs",), ("runs", "--json"), ("runs", "show", "RUN"), ("runs", "verify", "RUN"), ("runs", "prune"),
    ("report", "RUN", "--out", "page.html"), ("export", "RUN", "--out", "exported"), ("compare", "RUN", "RUN"),
    ("bench", "--rescore", "RUN"), ("bench", "made", "--model", "run:sums/sft-1", "--limit", "1"),
    ("train", "RECIPE", "--plan"),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """A record that has lost its backend makes a command load the model with transformers; that import is no fault."""
    import transformers.models.qwen2_5_vl.modeling_qwen2_5_vl  # noqa: F401


@fuzzed(60, data=st.data(), record=st.sampled_from(RECORDS), arguments=st.sampled_from(COMMANDS))
def test_a_damaged_record(
    data: st.DataObject, record: str, arguments: tuple[str, ...], home: Path, finished: Path, fake: tuple[str, ...]
) -> None:
    runs = sorted(path.name for path in (home / "runs").iterdir() if path.is_dir())
    file = data.draw(st.sampled_from(sorted(home.rglob(record)) or [home / record]))
    before = file.read_bytes() if file.exists() else None
    ways = [st.none(), st.binary(max_size=20), damaged(before or b"{}")]
    if before and file.suffix == ".json":
        ways.append(mutated(json.loads(before)).map(lambda value: json.dumps(value).encode()))
    content: Any = data.draw(st.one_of(ways))
    if content is None:
        file.unlink(missing_ok=True)
    else:
        file.write_bytes(content)
    try:
        run = data.draw(st.sampled_from(runs))
        known = {"RUN": run, "RECIPE": str(finished / "sums.yaml")}
        command("home", *fake, *(known.get(each, each) for each in arguments))
    finally:
        shutil.rmtree(home)
        shutil.copytree(finished / "home", home)


@fuzzed(
    60,
    data=st.data(),
    name=st.sampled_from(["config.json", "tokenizer.json", "model.safetensors", "model.safetensors.index.json"]),
)
def test_a_model_folder(data: st.DataObject, name: str, text_model: Path, tmp_path: Path) -> None:
    before = (text_model / name).read_bytes()[:4000] if (text_model / name).exists() else b'{"weight_map": {"a": "b"}}'
    (tmp_path / name).write_bytes(data.draw(damaged(before) | st.binary(max_size=60)))
    attempt("model files", lambda: check_files(tmp_path))


@fuzzed(10, data=st.data(), name=st.sampled_from(["config.json", "generation_config.json", "tokenizer_config.json"]))
def test_a_model_that_is_loaded(data: st.DataObject, name: str, text_model: Path, tmp_path: Path) -> None:
    from openvlt_plugins.hf.loading import load

    folder = tmp_path / "model"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(text_model, folder)
    whole = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(data.draw(mutated(whole, 2))))
    attempt("model", lambda: load(Model(id=str(folder))))
