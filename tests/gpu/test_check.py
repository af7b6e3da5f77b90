"""The checks for a GPU, on a CPU with a tiny model: each runs through the same code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_the_checks_pass_with_a_tiny_model() -> None:
    names = ["replies", "resume", "attention", "step-sft", "speed", "sft-7b-lora", "grpo-3b", "vllm"]
    command = [sys.executable, str(HERE / "check.py"), "--size", "tiny", "--only", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["check"] for each in found] == names, done.stderr
    assert all(each["passed"] for each in found) and done.returncode == 0, found
    assert {each["check"] for each in found if "skipped" in each} == {"vllm"}


def test_the_models_have_the_published_shapes() -> None:
    script = (
        "import sys, torch, models\n"
        "with torch.device('meta'): print(sum(p.numel() for p in models.network(sys.argv[1]).parameters()))"
    )
    counts = [
        int(
            subprocess.run(
                [sys.executable, "-c", script, size], cwd=HERE, capture_output=True, text=True, check=True
            ).stdout
        )
        for size in ("3b", "7b")
    ]
    assert counts == [3_754_622_976, 8_292_166_656]
