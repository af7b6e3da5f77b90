"""Whole commands against endpoints: what a user sees, what is kept, and where the key is not."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from fault_server import Serve, Served

KEY = "sk-KEYKEYKEY-1234567890"
FAULTS = ("429", "500", "502", "503", "408", "after", "cut", "slow", "malformed", "empty", "nothing", "context")
RECIPE = """\
name: asked
base: {{id: {folder}/base, backend: fake}}
captioner: {{use: qwen-vl, model: seen, prompt: Describe.}}
traces:
  data: {{source: {{use: rows, path: {folder}/rows.jsonl}}}}
  teacher: {{use: chat, model: {{id: tiny, backend: {backend}}}, k: 2, prompt: "{{question}} <answer>yes</answer> {{caption}}"}}
  select: [correct]
train:
  sft:
    trainer: {{use: copy-sft, steps: 2}}
  grpo: {{data: {{source: {{use: made, n: 16}}}}, trainer: {{use: copy-grpo, steps: 2}}}}
rewards: {{answer: 1.0}}
iterations: [{{}}]
bench: made
"""
BACKEND = "{use: openai, timeout: 1.0, retries: 2, patience: 2.0}"


@pytest.fixture
def asking(tmp_path: Path, fake_model: Path, fake_plugin: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a command on a recipe whose teacher and captioner are served."""
    from PIL import Image

    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")

    def start(command: str, questions: Iterable[str], *words: str, key: str = KEY) -> subprocess.Popen[str]:
        rows = [{"id": q, "question": q, "answer": "yes", "image": "red.png"} for q in questions]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        recipe = tmp_path / "asked.yaml"
        recipe.write_text(RECIPE.format(folder=tmp_path, backend=BACKEND))
        line = [sys.executable, "-m", "openvlt", "--plugin", str(fake_plugin), command, str(recipe), *words]
        line += ["--key-env", "MY_KEY@127.0.0.1"]
        environment = os.environ | {"OPENVLT_HOME": str(tmp_path / "home"), "MY_KEY": key}
        return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=600)
    return process.returncode, out + err


def urls(teachers: Iterable[Served], captioner: Served) -> list[str]:
    named = [word for teacher in teachers for word in ("--teacher-url", teacher.url)]
    return [*named, "--captioner-url", captioner.url]


def run_of(folder: Path) -> dict[str, Any]:
    (record,) = (folder / "home" / "runs").glob("*/run.json")
    run: dict[str, Any] = json.loads(record.read_text())
    return run


def holding(folder: Path, text: str) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if text.encode() in path.read_bytes()]


def test_every_fault_is_survived_and_the_key_is_nowhere(serve: Serve, asking: Any, tmp_path: Path) -> None:
    teacher, captioner = serve("--key", KEY), serve("--model", "seen", "--key", KEY)
    passing = [f"{fault} x1 please" for fault in FAULTS] + [f"plain {place}" for place in range(20)]
    words = [*urls([teacher], captioner), "--debug", "--out", str(tmp_path / "data")]
    code, said = ended(asking("distill", [*passing, "400 x99 never"], *words))
    assert code == 0, said
    (stage,) = [stage for stage in run_of(tmp_path)["stages"] if stage["stage_kind"] == "distill"]
    assert (stage["taken"], stage["out"]) == (len(passing) + 1, len(passing))
    assert stage["counts"]["retried"] >= len(FAULTS) - 1
    refused, wrong = "sk-REFUSED-KEY", ["--name", "other", "--set", "traces.teacher.temperature=0.1"]
    code, told = ended(asking("distill", passing, *words[:-2], *wrong, key=refused))
    assert code == 5 and "refuses the API key" in told
    code, lasting = ended(asking("distill", ["500 x99", *passing], *words[:-2], *wrong))
    assert code == 5 and "the endpoint returned 500" in lasting
    encoded = base64.b64encode(f"Bearer {KEY}".encode()).decode()
    for key in (KEY, refused, encoded):
        assert key not in said + told + lasting
        assert not holding(tmp_path, key)
    assert {entry["headers"]["Authorization"] for entry in teacher.log} == {f"Bearer {KEY}"}


def test_one_of_two_endpoints_dies_half_way(serve: Serve, asking: Any, tmp_path: Path) -> None:
    teachers, captioner = (serve("--latency", "0.05"), serve("--latency", "0.05")), serve("--model", "seen")
    words = [*urls(teachers, captioner), "--set", "traces.teacher.model.backend.concurrency=4"]
    process = asking("distill", [f"number {place}" for place in range(150)], *words)
    while len(teachers[1].log) < 40 and process.poll() is None:
        time.sleep(0.05)
    before = len(teachers[1].log)
    teachers[1].stop()
    code, said = ended(process)
    assert code == 0, said
    (stage,) = [stage for stage in run_of(tmp_path)["stages"] if stage["stage_kind"] == "distill"]
    assert (stage["out"], stage["rejected"]) == (150, {})
    prompts = [(entry["body"]["messages"][-1]["content"], entry["body"]["seed"]) for entry in teachers[0].log]
    assert 40 <= before < 300 - 40 and len(set(prompts)) >= 300 - before


def test_r1_distill_and_the_captioner_are_served_and_the_loop_runs(serve: Serve, asking: Any, tmp_path: Path) -> None:
    hub_id = "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B"
    chain = "Okay, it is red.\n</think>\n\nThe shape is red, so the answer is \\boxed{yes}."
    teacher, captioner = serve("--model", hub_id, "--says", chain), serve("--model", "seen")
    questions = [f"Is it red, {place}?" for place in range(20)]
    words = ["--teacher", "r1-distill", *urls([teacher], captioner)]
    code, said = ended(asking("train", questions, *words))
    assert code == 0, said
    run = run_of(tmp_path)
    assert run["status"] == "done" and run["model"]
    reason = "openai, because it has a URL"
    assert {f"caption-1: {reason}", f"distill-1: {reason}"} <= set(run["notes"])
    assert f"The model {hub_id} runs on openai: it has a URL." in said
    (line, *_) = (
        Path(tmp_path / "home" / stage["folder"]) for stage in run["stages"] if stage["stage_kind"] == "select"
    )
    trace = json.loads((line / "rows.jsonl").read_text().splitlines()[0])["judged"][0]["trace"]
    assert (trace["think"], trace["answer"]) == ("Okay, it is red.", "yes")
    assert trace["explanation"] == "The shape is red, so the answer is yes."
    assert len(teacher.log) == 80 and len(captioner.log) == 1


@pytest.mark.slow
def test_a_kill_behind_one_slow_reply_loses_no_other(serve: Serve, asking: Any, tmp_path: Path) -> None:
    teacher, captioner = serve(), serve("--model", "seen")
    questions = ["stall x1 first", *(f"number {place}" for place in range(1042))]
    words = [*urls([teacher], captioner), "--set", "traces.teacher.model.backend.timeout=600"]
    process = asking("distill", questions, *words)
    answered = 2 * 1042 + 1

    def stored() -> int:
        lines = (line for path in tmp_path.glob("home/values/*/*.jsonl") for line in path.read_bytes().splitlines())
        return sum(b"<answer>" in line for line in lines)

    deadline = time.monotonic() + 600
    while stored() < answered and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    assert stored() == answered, "they wait for the slow one"
    process.kill()
    process.communicate()
    before = len(teacher.log)
    code, said = ended(asking("distill", questions, *words))
    assert code == 0, said
    assert len(teacher.log) == before + 1, "only the reply that was in flight is asked for again"
