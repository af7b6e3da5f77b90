"""No load of a model may run code of its repository or read a pickle: every call says so itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOTS = [Path(__file__).parents[2] / folder for folder in ("core", "plugins", "tasks", "scripts")]
NO_WEIGHTS = ("AutoConfig", "AutoTokenizer", "AutoProcessor", "AutoImageProcessor")
FORBIDDEN = {
    "torch.load",
    "pickle.load",
    "pickle.loads",
    "joblib.load",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
}


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in (path for root in ROOTS for path in sorted(root.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{path.name}:{node.lineno}: {ast.unparse(node.func)}", node


def faults(where: str, call: ast.Call) -> list[str]:
    """What a call does not say."""
    said = {keyword.arg: getattr(keyword.value, "value", None) for keyword in call.keywords}
    name = where.rpartition(" ")[2]
    if name.endswith(".from_pretrained"):
        needed = {"trust_remote_code": False} | ({} if name.split(".")[-2] in NO_WEIGHTS else {"use_safetensors": True})
        return [f"{where} without {key}={value}" for key, value in needed.items() if said.get(key) is not value]
    if "trust_remote_code" in said and said["trust_remote_code"] is not False:
        return [f"{where} with trust_remote_code"]
    if name == "torch.load" and said.get("weights_only") is True:
        return []
    return [where] if name in FORBIDDEN else []


def test_no_load_runs_code_or_reads_pickles() -> None:
    found = list(calls())
    assert sum(".from_pretrained" in where for where, _ in found) > 10
    assert [fault for where, call in found for fault in faults(where, call)] == []


@pytest.mark.parametrize(
    "call",
    [
        "AutoModel.from_pretrained(a, use_safetensors=True)",
        "AutoModel.from_pretrained(a, trust_remote_code=False)",
        "AutoTokenizer.from_pretrained(**where)",
        "load_dataset(a, trust_remote_code=True)",
        "torch.load(a)",
    ],
)
def test_a_call_that_does_not_say_so_is_found(call: str) -> None:
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    assert faults(f"x.py:1: {ast.unparse(node.func)}", node)
