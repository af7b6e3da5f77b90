"""Several machines that train together: each runs the command, the one with rank 0 carries out the run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

TOGETHER = '''
"""A trainer whose processes, on all machines, tell who they are; the first waits for all of them."""
import json, os, time
from dataclasses import dataclass
from openvlt import Checkpoint, Trainer, hookimpl

@hookimpl
def register_trainers(register):
    register("together", Together, summary="tells its ranks")

@dataclass(frozen=True)
class Together(Trainer):
    nodes: int = 2
    reads = "prompts"

    def machines(self):
        return self.nodes

    def train(self, job):
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


@pytest.mark.slow
def test_the_command_on_each_machine_trains_together(tmp_path: Path, fake_plugin: Path, fake_model: Path) -> None:
    (fake_model / "config.json").write_text("{}")
    plugin = tmp_path / "openvlt_together.py"
    plugin.write_text(TOGETHER)
    recipe = tmp_path / "together.yaml"
    recipe.write_text(RECIPE.format(model=fake_model))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    machines = []
    for rank in ("1", "0"):  # it does not matter which comes first
        environment = {
            **os.environ, "OPENVLT_HOME": str(tmp_path / "home"),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": rank, "NNODES": "2",
        }  # fmt: skip
        named = ["--plugin", str(fake_plugin), "--plugin", str(plugin)]
        words = [sys.executable, "-m", "openvlt", *named, "train", str(recipe)]
        machines.append(
            subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    told = [machine.communicate(timeout=400)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], told
    folders = sorted(path.parent for path in (tmp_path / "home" / "stages").glob("*/job.json"))
    assert len(folders) == 2
    for folder in folders:
        ranks = [json.loads((folder / f"rank-{rank}").read_text()) for rank in (0, 1)]
        assert ranks == [["0", "2", "0", "2"], ["1", "2", "1", "2"]]
    run = json.loads((tmp_path / "home" / "runs" / "together" / "run.json").read_bytes())
    assert run["status"] == "done"
