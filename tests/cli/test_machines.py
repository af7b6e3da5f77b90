"""Several machines that train together: each runs the command, the one with rank 0 carries out the run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOGETHER = '''
"""A trainer whose processes, on all machines, tell who they are; the first waits for all of them."""
import json, os, signal, sys, time
from dataclasses import dataclass
from openvlt import Checkpoint, DataError, Trainer, hookimpl

@hookimpl
def register_trainers(register):
    register("together", Together, summary="tells its ranks")

@dataclass(frozen=True)
class Together(Trainer):
    nodes: int = 2
    fails: bool = False
    hangs: bool = False
    reads = "prompts"

    def machines(self):
        return self.nodes

    def train(self, job):
        if self.fails and os.environ["RANK"] == "0":
            raise DataError("The first machine fails.", "Mend it.")
        if self.hangs:
            came = []
            signal.signal(signal.SIGTERM, lambda *_: came.append(1))
            (job.folder / f"hangs-{os.environ['RANK']}").touch()
            while not came:
                time.sleep(0.05)
            time.sleep(1)  # saves a checkpoint
            (job.folder / f"saved-{os.environ['RANK']}").touch()
            sys.exit(143)
        names = ("RANK", "WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE")
        (job.folder / f"rank-{os.environ['RANK']}").write_text(json.dumps([os.environ[name] for name in names]))
        model = job.folder / "model"
        model.mkdir(exist_ok=True)
        (model / "config.json").write_text("{}")
        while len(list(job.folder.glob("rank-*"))) < 2:
            time.sleep(0.05)
        return Checkpoint(model)
'''
RECIPE = """
name: together
base: {{id: {model}, backend: fake}}
train:
  one: {{trainer: together, data: {{source: {{use: made, n: 4}}}}}}
  two: {{trainer: together, data: {{source: {{use: made, n: 5}}}}}}
"""


class Machines:
    """The command on two machines, in one home."""

    def __init__(self, folder: Path, fake_plugin: Path, model: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        (model / "config.json").write_text("{}")
        plugin = folder / "openvlt_together.py"
        plugin.write_text(TOGETHER)
        (folder / "together.yaml").write_text(RECIPE.format(model=model))
        self.words = [sys.executable, "-m", "openvlt", "--plugin", str(fake_plugin), "--plugin", str(plugin)]

    def start(self, *words: str) -> list[subprocess.Popen[str]]:
        """The machines, that with rank 1 first; it does not matter which comes first."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        told = {"OPENVLT_HOME": str(self.home), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NNODES": "2"}
        command = [*self.words, "train", str(self.folder / "together.yaml"), *words]
        return [
            subprocess.Popen(
                command, env={**os.environ, **told, "NODE_RANK": rank}, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True,
            )
            for rank in ("1", "0")
        ]  # fmt: skip


@pytest.fixture
def machines(tmp_path: Path, fake_plugin: Path, fake_model: Path) -> Machines:
    return Machines(tmp_path, fake_plugin, fake_model)


@pytest.mark.slow
def test_the_command_on_each_machine_trains_together(machines: Machines) -> None:
    started = machines.start()
    told = [machine.communicate(timeout=600)[0] for machine in started]
    assert [machine.returncode for machine in started] == [0, 0], told
    folders = sorted(path.parent for path in (machines.home / "stages").glob("*/job.json"))
    assert len(folders) == 2
    for folder in folders:
        ranks = [json.loads((folder / f"rank-{rank}").read_text()) for rank in (0, 1)]
        assert ranks == [["0", "2", "0", "2"], ["1", "2", "1", "2"]]
    run = json.loads((machines.home / "runs" / "together" / "run.json").read_bytes())
    assert run["status"] == "done"
    others = told[0].splitlines()
    assert others[0] == "This machine has rank 1: it takes part in trainings of the run together."
    for stage in ("one-1", "two-1"):
        (joined,) = (line for line in others if line.startswith(f"Taking part in {stage}; see "))
        assert Path(joined.partition("; see ")[2]).is_file()


@pytest.mark.slow
def test_a_machine_does_not_wait_for_one_that_has_ended(machines: Machines) -> None:
    other, first = machines.start("--set", "train.one.fails=true")
    assert "The first machine fails. Mend it." in first.communicate(timeout=600)[0]
    told = other.communicate(timeout=600)[0]
    assert "The machine with rank 0 has ended before the stage one-1 was done." in told
    assert (first.returncode, other.returncode) != (0, 0) and other.returncode


@pytest.mark.slow
def test_each_machine_saves_when_it_is_asked_to_end(machines: Machines) -> None:
    started = machines.start("--set", "train.one.hangs=true")
    end = time.monotonic() + 600
    while len(list(machines.home.glob("stages/*/hangs-*"))) < 2:
        assert time.monotonic() < end, [machine.poll() for machine in started]
        time.sleep(0.1)
    for machine in started:
        machine.terminate()
    told = [machine.communicate(timeout=600)[0] for machine in started]
    assert [machine.returncode for machine in started] == [143, 143], told
    assert len(list(machines.home.glob("stages/*/saved-*"))) == 2
