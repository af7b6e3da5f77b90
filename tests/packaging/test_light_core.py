"""What `pip install openvlt` alone can do, beside somebody's own torch: everything that needs none."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]

HEAVY = ("torch", "transformers", "trl", "datasets", "pyarrow", "pandas", "vllm", "ray")
RESPONSE = "<think>Half of it.</think><answer>0.5</answer>"
REWARDS = f"""
import openvlt
assert openvlt.reward("answer")(completions=[{RESPONSE!r}], answer=["1/2"]) == [1.0]
print(openvlt.compute_score("source", {RESPONSE!r}, "1/2"))
"""


def test_nothing_heavy_is_installed(light: Run) -> None:
    code = f"from importlib.util import find_spec; print([name for name in {HEAVY} if find_spec(name)])"
    assert light("-c", code).stdout.strip() == "[]"


def test_a_response_is_verified(light: Run) -> None:
    done = light("-m", "openvlt", "verify", r"\frac{1}{2}", RESPONSE)
    assert done.returncode == 0, done.stderr
    assert "correct" in done.stdout


def test_rewards_are_functions(light: Run) -> None:
    done = light("-c", REWARDS)
    assert done.returncode == 0, done.stderr
    assert "1.0" in done.stdout


def test_each_component_that_lacks_a_package_names_the_extra(light: Run) -> None:
    plugins = json.loads(light("-m", "openvlt", "list-plugins", "--json").stdout)
    assert {plugin["status"] for plugin in plugins} == {"ok"}
    components = [component for plugin in plugins for component in plugin["components"]]
    commands = {one["name"]: one["reason"].partition(": ")[2] for one in components if one["status"] != "ok"}
    assert commands == {
        "hf": "pip install 'openvlt[hf]'",
        "vllm": "pip install 'openvlt[vllm]'",
        "sft": "pip install 'openvlt[train]'",
        "dpo": "pip install 'openvlt[train]'",
        "grpo": "pip install 'openvlt[train]'",
        "verl": "pip install 'openvlt[data]'",
        "easyr1": "pip install 'openvlt[data]'",
        "llava-onevision": "pip install 'openvlt[data]'",
        "rapid-ocr": "pip install 'openvlt[ocr]'",
    }


def test_response_files_are_scored(light: Run, tmp_path: Path) -> None:
    row = {
        "index": "1", "question": "Which?", "question_type": "multi_choice", "answer_type": "text",
        "choices": "['cat', 'dog']", "answer": "dog", "answer_option": "B", "task": "figure question answering",
        "skills": "['statistical reasoning']", "category": "general-vqa", "prediction": "The answer is B.",
    }  # fmt: skip
    replies = tmp_path / "replies.tsv"
    replies.write_text("\n".join("\t".join(cells) for cells in (row.keys(), row.values())))
    done = light("-m", "openvlt", "bench", "mathvista", "--responses", replies, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scores"]["strict"]["accuracy"] == 1.0


def test_a_file_that_needs_an_extra_is_refused_with_the_command(light: Run, tmp_path: Path) -> None:
    (tmp_path / "replies.parquet").touch()
    done = light("-m", "openvlt", "bench", "mathvista", "--responses", tmp_path / "replies.parquet")
    assert (done.returncode, done.stderr) == (
        3,
        "Error: This needs packages that are not installed: pyarrow. Run: pip install 'openvlt[data]'\n",
    )


def test_a_training_is_refused_before_it_starts(light: Run) -> None:
    done = light("-m", "openvlt", "train")
    assert done.returncode in (2, 3)
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
