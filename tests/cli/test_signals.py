"""SIGTERM and SIGHUP end a command as Ctrl-C does, whoever sends them and however often; benchmarks are recorded too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

EVENTS = """
from pathlib import Path
from openvlt import hookimpl

@hookimpl
def on_run_end(run):
    with Path(__file__).with_name("events").open("a") as file:
        file.write(run.status + "\\n")
"""


class Process:
    """``openvlt`` in processes of its own, with the plugin of made sums and one that writes down how runs end."""

    def __init__(self, folder: Path, fake_plugin: Path, model: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.words = ["--plugin", str(fake_plugin), "--plugin", str(folder / "events.py")]
        (model / "config.json").write_text("{}")
        (folder / "events.py").write_text(EVENTS)
        (folder / "any.yaml").write_text(
            f"name: any\nbase: {{id: {model}, backend: fake}}\nrewards: {{answer: 1.0}}\nbench: made\n"
            "train: {grpo: {trainer: {use: copy-grpo, steps: 2}, data: {source: {use: made, n: 4}}}}\n"
        )
        bench = ["bench", "made", "--model", str(model), "--backend", "fake"]
        self.commands = {"train": ["train", str(folder / "any.yaml")], "bench": bench}

    def start(self, *words: str, **told: Any) -> subprocess.Popen[str]:
        added = {"OPENVLT_HOME": str(self.home), "OPENVLT_FAKE": json.dumps(told), "HF_HUB_OFFLINE": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "openvlt", *self.words, *words], env=os.environ | added, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def __call__(self, *words: str, **told: Any) -> str:
        process = self.start(*words, **told)
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        return out

    def runs(self) -> list[dict[str, Any]]:
        return list(json.loads(self("runs", "--json")))

    def wait_for(self, pattern: str, process: subprocess.Popen[str]) -> None:
        end = time.monotonic() + 600
        while not list(self.home.glob(pattern)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)


@pytest.fixture
def openvlt(tmp_path: Path, fake_plugin: Path, fake_model: Path) -> Process:
    return Process(tmp_path, fake_plugin, fake_model)


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("bench", signal.SIGTERM),
        pytest.param("bench", signal.SIGHUP, marks=pytest.mark.slow),
        pytest.param("train", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("train", signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_a_signal_is_an_interrupt_however_often_it_is_sent(openvlt: Process, command: str, number: int) -> None:
    process = openvlt.start(*openvlt.commands[command], seconds=600)
    openvlt.wait_for("values/*/index.sqlite", process)
    (during,) = openvlt.runs()
    assert during["status"] == "running" and (during["recipe"] == "bench") == (command == "bench")
    assert "nothing" in openvlt("runs", "prune", "--yes")
    for _ in range(3):
        process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 128 + number, err
    assert err.endswith("Interrupted.\n") and "Traceback" not in err
    (after,) = openvlt.runs()
    assert (after["name"], after["status"]) == (during["name"], "interrupted")
    assert "nothing" in openvlt("runs", "prune", "--yes")
    openvlt(*openvlt.commands[command])
    (done,) = openvlt.runs()
    assert done["status"] == "done" and done["scores"]
    if command == "train":
        assert (openvlt.folder / "events").read_text() == "interrupted\ndone\n"


@pytest.mark.slow
def test_a_signal_ends_a_training_and_its_child(openvlt: Process) -> None:
    process = openvlt.start(*openvlt.commands["train"], trainer="hang")
    openvlt.wait_for("stages/*/checkpoint-1", process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=600)
    assert process.returncode == 143
    assert not subprocess.run(["pgrep", "-f", f"train_worker {openvlt.home}"], capture_output=True, check=False).stdout
    assert [run["status"] for run in openvlt.runs()] == ["interrupted"]
    openvlt(*openvlt.commands["train"])
    assert [run["status"] for run in openvlt.runs()] == ["done"]


def test_a_benchmark_that_was_killed_is_listed_and_its_answers_are_kept(openvlt: Process) -> None:
    process = openvlt.start(*openvlt.commands["bench"], die_after=1)
    assert process.wait(600) == -signal.SIGKILL
    process.communicate()
    (run,) = openvlt.runs()
    assert (run["recipe"], run["status"]) == ("bench", "interrupted")
    answers = [path.read_bytes() for path in openvlt.home.glob("values/*/*.jsonl")]
    assert any(answers)
    assert "nothing" in openvlt("runs", "prune", "--yes")
    assert answers == [path.read_bytes() for path in openvlt.home.glob("values/*/*.jsonl")]


def test_nohup_is_respected(openvlt: Process) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = openvlt.start(*openvlt.commands["bench"], seconds=1)
    finally:
        signal.signal(signal.SIGHUP, before)
    openvlt.wait_for("values/*/index.sqlite", process)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
