"""How a training is started: where it finds the other machines, which GPUs it sees, whose error is told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made import Bench

from openvlt import system
from openvlt.errors import DataError, OpenvltError, UsageError
from openvlt.interfaces import Checkpoint, Trainer, TrainJob, Workload
from openvlt.pipeline import Pipeline, pipeline
from openvlt.pipeline.memory_plan import gpus_here, need
from openvlt.pipeline.stage import Context, Made
from openvlt.pipeline.train_stage import Train
from openvlt.records import Model, Run
from openvlt.registry import Registry
from openvlt.stages import launch
from openvlt.stages.launch import Node, this_node
from openvlt.stages.train import Rewards
from openvlt.stages.workspace import NotDone, Step


@dataclass(frozen=True)
class Several(Trainer):
    """Does nothing, on several processes and machines."""

    devices: int = 1
    nodes: int = 1

    def processes(self) -> int:
        return self.devices

    def machines(self) -> int:
        return self.nodes

    def train(self, job: TrainJob) -> Checkpoint:
        raise NotImplementedError


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of an outer launcher is set."""
    for name in list(os.environ):
        if launch._RANKS.fullmatch(name) or name.startswith("SLURM_") or name == "CUDA_VISIBLE_DEVICES":
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("environment", "node"),
    [
        ("", None),
        ("MASTER_ADDR=a MASTER_PORT=5", None),
        ("GROUP_RANK=1 GROUP_WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=29500 RANK=1", Node(1, 2, "a", 29501)),
        ("PET_NODE_RANK=0 PET_NNODES=4 PET_MASTER_ADDR=job-master-0 PET_MASTER_PORT=23456", Node(0, 4, "job-master-0", 23456)),
        ("PET_NODE_RANK=2 PET_NNODES=1:4 PET_MASTER_ADDR=m", Node(2, None, "m", 29500)),
        ("SLURM_NODEID=3 SLURM_NNODES=4 SLURM_JOB_ID=12345 SLURM_JOB_NODELIST=gpu[03-06,9],x", Node(3, 4, "gpu03", 32345)),
        ("SLURM_NODEID=0 SLURM_JOB_NODELIST=n1-ib,n2-ib SLURM_JOB_ID=1", Node(0, None, "n1-ib", 20001)),
        ("SLURM_NODEID=0 SLURM_NNODES=3 SLURM_STEP_NUM_NODES=2 SLURM_JOB_NODELIST=rack[1-2]n[01-04]-ib", Node(0, 2, "rack1n01-ib", 20000)),
        ("SLURM_NODEID=1 SLURM_JOB_NODELIST=a,b MASTER_ADDR=b MASTER_PORT=7", Node(1, None, "b", 7)),
        ("MASTER_ADDR=10.0.0.1 NODE_RANK=1 NNODES=2", Node(1, 2, "10.0.0.1", 29500)),
    ],
)  # fmt: skip
def test_the_environment_says_which_machine_this_is(environment: str, node: Node | None) -> None:
    assert this_node(dict(word.split("=") for word in environment.split())) == node


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ("NODE_RANK=x MASTER_ADDR=a", "NODE_RANK is 'x', no number"),
        ("NODE_RANK=-1 MASTER_ADDR=a", "NODE_RANK is '-1', no number"),
        ("NODE_RANK=\u00b2 MASTER_ADDR=a", "NODE_RANK is '\u00b2', no number"),
        ("NODE_RANK=0 MASTER_ADDR=a MASTER_PORT=tcp://10.0.0.1:80", "MASTER_PORT is 'tcp://10.0.0.1:80', no number"),
        ("NODE_RANK=0 MASTER_ADDR=a MASTER_PORT=99999", "MASTER_PORT is '99999', no number"),
        ("GROUP_RANK=0 MASTER_ADDR=a MASTER_PORT=65535", "MASTER_PORT is '65535', no number"),
        ("PET_NODE_RANK=0 PET_MASTER_ADDR=a PET_MASTER_PORT=x", "PET_MASTER_PORT is 'x', no number"),
        ("SLURM_NODEID=0 SLURM_JOB_NODELIST=a,b SLURM_JOB_ID=x", "SLURM_JOB_ID is 'x', no number"),
        ("NODE_RANK=5 NNODES=2 MASTER_ADDR=a", "uses 2 nodes, and the environment gives this one the rank 5"),
        ("NODE_RANK=2 MASTER_ADDR=a", "uses 2 nodes, and the environment gives this one the rank 2"),
        ("NODE_RANK= MASTER_ADDR=a", "no variable of the environment says which"),
        ("NODE_RANK=0 MASTER_ADDR=", "no variable of the environment says which"),
        ("GROUP_RANK=1 LOCAL_RANK=3 MASTER_ADDR=a", "several times on this machine .LOCAL_RANK is 3."),
        ("SLURM_NODEID=1 SLURM_LOCALID=7 SLURM_JOB_NODELIST=a,b", "several times on this machine .SLURM_LOCALID is 7."),
    ],
)  # fmt: skip
def test_an_environment_that_contradicts_itself_is_refused(
    alone: None, monkeypatch: pytest.MonkeyPatch, environment: str, problem: str
) -> None:
    for word in environment.split():
        monkeypatch.setenv(*word.split("=", 1))
    with pytest.raises(UsageError, match=problem):
        launch.check_machines(Several(nodes=2))


def test_several_machines_need_to_find_each_other(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Several(devices=2, nodes=2)
    with pytest.raises(UsageError, match="uses 2 nodes, and no variable of the environment says which"):
        launch.check_machines(trainer)
    for name, value in {"MASTER_ADDR": "a", "MASTER_PORT": "5", "NODE_RANK": "1", "NNODES": "2"}.items():
        monkeypatch.setenv(name, value)
    launch.check_machines(trainer)
    words = launch.command(trainer, Path("/job/job.json"))
    assert {"--nnodes=2", "--node_rank=1", "--master_addr=a", "--master_port=5", "--nproc_per_node=2"} < set(words)
    with pytest.raises(UsageError, match="uses 3 nodes, and the environment was made for 2"):
        launch.check_machines(Several(nodes=3))
    assert "--standalone" in launch.command(Several(devices=2), Path("/job/job.json"))


@dataclass(frozen=True, eq=False, kw_only=True)
class Kept(Train):
    """A training whose model the machine with rank 0 keeps some time after it was trained."""

    looks: Iterator[NotDone]

    def run(self, context: Context) -> Made[Model]:
        for waiting in self.looks:
            raise waiting
        return Made(None, self.start)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ended", "times"), [([True], 1), ([False, True], 2)])
def test_a_machine_takes_part_again_only_in_what_failed(
    alone: None, stages: Bench, monkeypatch: pytest.MonkeyPatch, ended: list[bool], times: int
) -> None:
    """What it would start while rank 0 keeps the model would wait in vain for the processes of the others."""
    step, joined = Step("train", "one-1", 1, ()), []
    job = stages.workspace.home.stages / step.fingerprint / "job.json"
    job.parent.mkdir()
    job.touch()
    model = Model(id=str(stages.model))
    trainer: Any = SimpleNamespace(component=Several(nodes=2))
    train = Kept(
        name="one-1", iteration=1, examples=None, trainer=trainer, start=model, trained=None, rewards=Rewards(),
        looks=iter([NotDone(step)] * 4),
    )  # type: ignore[arg-type]  # fmt: skip
    recipe: Any = SimpleNamespace(base=model)
    monkeypatch.setattr(pipeline, "POLL_SECONDS", 0)
    monkeypatch.setattr(pipeline, "is_claimed", lambda *_: True)
    monkeypatch.setattr(
        pipeline, "take_part", lambda *given: joined.append(given[1]) or ended[min(times, len(joined)) - 1]
    )
    for name, value in {"MASTER_ADDR": "a", "NODE_RANK": "1", "NNODES": "2"}.items():
        monkeypatch.setenv(name, value)
    Pipeline(stages.workspace, recipe, (train,), Run(name="one", recipe="one", status="running")).carry_out()
    assert joined == [job] * times


@pytest.mark.parametrize(
    ("named", "devices", "seen"),
    [
        (None, 1, "0"),
        (None, 2, "0,1"),
        ("3,1", 1, "3"),
        ("GPU-ab, GPU-cd,7", 2, "GPU-ab,GPU-cd"),
        ("", 1, ""),
        ("6,07,8,9", 2, "6,7"),
        ("3,-1,4", 1, "3"),
        ("2,2,1", 1, "2"),
        ("5,,4", 1, "5"),
    ],
)
def test_a_training_sees_as_many_gpus_as_it_uses(
    alone: None, monkeypatch: pytest.MonkeyPatch, named: str | None, devices: int, seen: str
) -> None:
    monkeypatch.setattr(system, "_gpus", lambda: tuple("01234567"))
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    trainer = Several(devices=devices)
    monkeypatch.setenv("MASTER_PORT", "5")
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    environment = launch.environment(trainer)
    assert not {"PMI_SIZE", "ACCELERATE_MIXED_PRECISION"} & environment.keys()
    assert environment.get("CUDA_VISIBLE_DEVICES", "") == seen
    assert "MASTER_PORT" not in environment
    launch.check_machines(trainer)


def test_more_devices_than_there_are_gpus_are_refused(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def needed(devices: int) -> None:
        need(Several(devices=devices), None, Workload(prompt=1, reply=1, gpus=gpus_here()))

    monkeypatch.setattr(system, "_gpus", lambda: dict.fromkeys("01", 1))
    with pytest.raises(UsageError, match="uses 3 GPUs of a machine, and there are 2"):
        needed(3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(UsageError, match=r"uses 2 GPUs of a machine, and there is 1 .*CUDA_VISIBLE_DEVICES hides"):
        needed(2)
    monkeypatch.setattr(system, "_gpus", dict)
    needed(2)  # on a CPU


FAILS = '''
"""A trainer whose second process fails first; the first fails because of it."""
import os, sys, time
from dataclasses import dataclass
from openvlt import Checkpoint, DataError, Trainer, hookimpl

@hookimpl
def register_trainers(register):
    register("fails", Fails, summary="fails")

@dataclass(frozen=True)
class Fails(Trainer):
    how: str = "exit"
    reads = "prompts"

    def processes(self):
        return 2

    def train(self, job):
        if os.environ["RANK"] == "0":
            while not (job.folder / "failing").exists():
                time.sleep(0.01)
            time.sleep(0.02)
            raise RuntimeError("Connection closed by peer")
        (job.folder / "failing").touch()
        if self.how == "refuse":
            raise DataError("Row 7 is too long.", "Shorten it.")
        if self.how == "crash":
            raise RuntimeError("the optimiser fell over")
        if self.how == "kill":
            os.kill(os.getpid(), 9)
        print("torch: no kernel image", file=sys.stderr, flush=True)
        os._exit(3)
'''


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "kind", "told"),
    [
        ("refuse", DataError, r"Row 7 is too long\. Shorten it\."),
        (
            "crash",
            OpenvltError,
            r"fails-1 ended with code 1: trainer .* failed in train: RuntimeError: the optimiser fell over",
        ),
        ("kill", OpenvltError, r"fails-1 was killed by signal 9 \(out of memory\?\)\."),
        ("exit", OpenvltError, r"fails-1 ended with code 3: torch: no kernel image\."),
    ],
)
def test_the_error_of_the_process_that_failed_first_is_told(
    stages: Bench, tmp_path: Path, how: str, kind: type[OpenvltError], told: str
) -> None:
    plugin = tmp_path / "openvlt_fails.py"
    plugin.write_text(FAILS)
    stages.workspace.registry = Registry.discover([*stages.workspace.registry.files, plugin])
    with pytest.raises(kind, match=told):
        stages.train(stages.load(n=8), "fails", stages.model, how=how)


def test_a_training_is_told_which_gpus_it_has(
    stages: Bench, fake: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One process on a machine with several GPUs sees one."""
    plugin = tmp_path / "openvlt_sees.py"
    plugin.write_text(FAILS.replace('"fails"', '"sees"').replace("return 2", "return 1").replace(
        'if os.environ["RANK"] == "0":', 'raise DataError(os.environ.get("CUDA_VISIBLE_DEVICES", "all"), "")\n        if 0:'
    ))  # fmt: skip
    stages.workspace.registry = Registry.discover([*stages.workspace.registry.files, plugin])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(system, "_gpus", lambda: ("0", "1", "2"))
    with pytest.raises(DataError, match=r"^0$"):
        stages.train(stages.load(n=8), "sees", stages.model)
    (job,) = stages.workspace.home.stages.glob("*/job.json")
    assert json.loads((job.parent / "error-0.json").read_bytes())["problem"] == "0"
