"""The server of a training: its death ends the training with its own words, and nothing of it is left, whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import Bench
from test_training import workers

from openvlt import system
from openvlt.errors import OpenvltError
from openvlt.interfaces import Workload
from openvlt.pipeline.memory_plan import gpus_here, need
from openvlt.registry import Registry

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")

SERVER = '''
"""Stands for vLLM: it has a process of its own, and takes no notice of SIGTERM."""
import signal, subprocess, sys, time
from pathlib import Path

signal.signal(signal.SIGTERM, signal.SIG_IGN)
folder, how = Path(sys.argv[1]), sys.argv[2]
engine = subprocess.Popen([sys.executable, "-c", f"import time  # {folder}\\ntime.sleep(600)"])
(folder / "up").touch()
while how != "fail":
    time.sleep(600)
while not (folder / "training").exists():
    time.sleep(0.01)
sys.exit("ValueError: no room for the cache")
'''

TRAINER = '''
"""A trainer with a server."""
import json, os, sys, time
from dataclasses import dataclass
from openvlt import Checkpoint, Trainer, hookimpl

@hookimpl
def register_trainers(register):
    register("served", Served, summary="has a server")

@dataclass(frozen=True)
class Served(Trainer):
    how: str = "end"
    reads = "prompts"

    def server_devices(self):
        return 2

    def train(self, job):
        job.serve([sys.executable, os.environ["SERVER"], str(job.folder), self.how], {"ADDED": "1"})
        while not (job.folder / "up").exists():
            time.sleep(0.01)
        (job.folder / "training").touch()
        shown = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "OPENVLT_SERVER_GPUS")}
        (job.folder / "gpus.json").write_text(json.dumps(shown))
        if self.how != "end":
            time.sleep(600)
        (job.folder / "model").mkdir(exist_ok=True)
        (job.folder / "model" / "skill.json").write_text("{}")
        return Checkpoint(job.folder / "model")
'''


@pytest.fixture
def served(stages: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    (tmp_path / "openvlt_served.py").write_text(TRAINER)
    (tmp_path / "server.py").write_text(SERVER)
    monkeypatch.setenv("SERVER", str(tmp_path / "server.py"))
    stages.workspace.registry = Registry.discover([*stages.workspace.registry.files, tmp_path / "openvlt_served.py"])
    return stages


def alive(stages: Bench) -> list[str]:
    """What runs of this test's home, other than the test."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            dead = (path / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if not dead and str(stages.workspace.home.root) in words and int(path.name) != os.getpid():
            found.append(words)
    return found


def until(true: Callable[[], Any], seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    assert true()


def test_a_server_ends_with_its_training(served: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(system, "_gpus", lambda: dict.fromkeys("0123", 1))
    made, _ = served.train(served.load(n=8), "served", served.model)
    until(lambda: not alive(served))
    shown = json.loads((made.folder.path / "gpus.json").read_bytes())
    assert shown == {"CUDA_VISIBLE_DEVICES": "0", "OPENVLT_SERVER_GPUS": "1,2"}
    monkeypatch.setattr(system, "_gpus", lambda: dict.fromkeys("01", 1))
    work = Workload(prompt=1, reply=1, gpus=gpus_here())
    with pytest.raises(OpenvltError, match=r"uses 3 GPUs of a machine, and there are 2 .* Let it or its server use"):
        need(served.build("trainer", "served").component, None, work)


def test_a_server_that_dies_ends_the_training_with_its_last_error(served: Bench) -> None:
    told = r"server of the training ended with code 1; it printed last: ValueError: no room for the cache\. See .*server\.log"
    with pytest.raises(OpenvltError, match=told):
        served.train(served.load(n=8), "served", served.model, how="fail")
    until(lambda: not alive(served))


@pytest.mark.parametrize("killed", ["training", "command", "interrupted"])
def test_nothing_of_a_server_outlives_what_is_killed(served: Bench, killed: str, tmp_path: Path) -> None:
    rows = served.load(n=8)
    command = subprocess.Popen([sys.executable, "-c", _ALONE.format(
        paths=[str(Path(__file__).parent), str(Path(__file__).parents[1])], files=list(map(str, served.workspace.registry.files)),
        model=str(served.model), log=str(tmp_path / "asked.jsonl"),
    )])  # fmt: skip
    until(lambda: list(served.workspace.home.stages.glob("*/training")) or command.poll() is not None)
    assert len(alive(served)) >= 4 and rows
    pid = workers(served)[0] if killed == "training" else command.pid
    os.kill(pid, signal.SIGINT if killed == "interrupted" else signal.SIGKILL)
    assert command.wait(600) != 0
    until(lambda: not alive(served))


_ALONE = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from made import bench
from openvlt.store import open_home
stages = bench(open_home(), [Path(file) for file in {files!r}], Path({model!r}), Path({log!r}))
stages.train(stages.load(n=8), "served", stages.model, how="wait")
"""
