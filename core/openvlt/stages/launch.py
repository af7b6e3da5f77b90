"""How a training is started: its command, on one process or more, on one machine or more, and the GPUs it sees."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openvlt import system
from openvlt.errors import UsageError
from openvlt.interfaces import Trainer
from openvlt.stages.servers import GPUS

ROLE = "process"
"""What ``torch.distributed.run`` calls a process in front of each line it prints: ``[process1]:``."""

_RANKS = re.compile(r"((LOCAL|GROUP|ROLE)_)?(RANK|WORLD_SIZE)|ROLE_NAME|MASTER_(ADDR|PORT)|(TORCHELASTIC|PET)_.*")


@dataclass(frozen=True, slots=True)
class Node:
    """This machine among those that train together.

    Attributes:
        rank: 0 for the one that the others connect to.
        nodes: how many there are; None if the environment does not say.
        address: of the machine with rank 0.
        port: on which it waits for them.
    """

    rank: int
    nodes: int | None
    address: str
    port: int


def this_node(environment: Mapping[str, str]) -> Node | None:
    """Where this machine stands among several, by what started this command on each; None if nothing says so.

    Read in this order: the variables that ``torchrun`` sets for its workers (and, with the prefix ``PET_``, those that
    Kubernetes' training operator sets for it), those of a Slurm step with one task a node, and MASTER_ADDR with
    MASTER_PORT and NODE_RANK.
    """
    get = environment.get
    if "GROUP_RANK" in environment and "MASTER_ADDR" in environment:
        # The outer torchrun listens on its port.
        port = int(get("MASTER_PORT", "29500")) + 1
        return Node(int(get("GROUP_RANK", "")), _count(get("GROUP_WORLD_SIZE")), get("MASTER_ADDR", ""), port)
    if "PET_NODE_RANK" in environment and "PET_MASTER_ADDR" in environment:
        port = int(get("PET_MASTER_PORT", "29500"))
        return Node(int(get("PET_NODE_RANK", "")), _count(get("PET_NNODES")), get("PET_MASTER_ADDR", ""), port)
    if "SLURM_NODEID" in environment and "SLURM_JOB_NODELIST" in environment:
        port = 20_000 + int(get("SLURM_JOB_ID", "0")) % 20_000  # jobs that share a machine do not meet
        first = _first_host(get("SLURM_JOB_NODELIST", ""))
        nodes = _count(get("SLURM_STEP_NUM_NODES", get("SLURM_NNODES")))
        return Node(int(get("SLURM_NODEID", "")), nodes, get("MASTER_ADDR", first), int(get("MASTER_PORT", port)))
    if "MASTER_ADDR" in environment and "NODE_RANK" in environment:
        return Node(
            int(get("NODE_RANK", "")), _count(get("NNODES")), get("MASTER_ADDR", ""), int(get("MASTER_PORT", "29500"))
        )
    return None


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _first_host(names: str) -> str:
    """The first host of a list as Slurm writes it: ``gpu[03-06,9],login1`` begins with gpu03."""
    first = re.match(r"(\[[^\]]*\]|[^,\[])*", names)
    return re.sub(r"\[(\d+)[^\]]*\]", r"\1", first[0] if first else names)


def check_processes(trainer: Trainer) -> None:
    """Refuse a training for which this machine has too few GPUs, or has not been told of the others.

    Raises:
        UsageError: what is missing, and what to do.
    """
    devices, nodes, gpus = trainer.devices_used() + trainer.server_devices(), trainer.machines(), system.visible_gpus()
    if gpus and devices > len(gpus):
        seen = "CUDA_VISIBLE_DEVICES shows" if "CUDA_VISIBLE_DEVICES" in os.environ else "this machine has"
        raise UsageError(
            f"The training uses {devices} devices, and {seen} {len(gpus)}.",
            "Let it use fewer (the trainer's option devices or gpus).",
        )
    if nodes > 1:
        _among(nodes)


def _among(nodes: int) -> Node:
    node = this_node(os.environ)
    if node is None:
        raise UsageError(
            f"The training uses {nodes} nodes, and no variable of the environment says which of them this one is.",
            "Run the command on each with srun or torchrun, or set MASTER_ADDR, MASTER_PORT and NODE_RANK on each.",
        )
    if node.nodes not in (None, nodes):
        raise UsageError(
            f"The training uses {nodes} nodes, and the environment was made for {node.nodes}.",
            "Set nodes to the number on which the command runs.",
        )
    return node


def command(trainer: Trainer, job: Path) -> list[str]:
    """The command that carries out a job; ``torchrun`` for several processes.

    ``accelerate launch --cpu`` silently starts one.
    """
    worker = ["-m", "openvlt.stages.train_worker", str(job)]
    processes, nodes = trainer.processes(), trainer.machines()
    if processes == nodes == 1:
        return [sys.executable, *worker]
    where = ["--standalone"]
    if nodes > 1:
        node = _among(nodes)
        where = [f"--nnodes={nodes}", f"--node_rank={node.rank}"]
        where += [f"--master_addr={node.address}", f"--master_port={node.port}"]
    each = [f"--nproc_per_node={processes}", f"--role={ROLE}", "--tee=3", f"--log_dir={job.parent / 'processes'}"]
    return [sys.executable, "-m", "torch.distributed.run", *where, *each, *worker]


def environment(trainer: Trainer, *secrets: str) -> dict[str, str]:
    """The environment of a training: it sees as many GPUs as it uses, the first of those this process may use.
    It is told which of the next ones are its server's.

    One process that saw several would put the model on all of them. What an outer ``torchrun`` said to this process is
    not said to its children, which have ranks of their own.

    Args:
        trainer: about to run.
        secrets: names of the secret variables that it needs.
    """
    kept = system.child_environment(*secrets, TOKENIZERS_PARALLELISM="false")
    gpus, devices = system.visible_gpus(), trainer.devices_used()
    shown = {"CUDA_VISIBLE_DEVICES": gpus[:devices], GPUS: gpus[devices : devices + trainer.server_devices()]}
    return {name: value for name, value in kept.items() if not _RANKS.fullmatch(name)} | {
        name: ",".join(found) for name, found in shown.items() if found
    }


def take_part(trainer: Trainer, job: Path) -> None:
    """Carry out this machine's part of a training, of which the machine with rank 0 has written the job.

    It ends with the training, however that ends; the machine with rank 0 tells why.

    Args:
        trainer: of the training.
        job: ``job.json``, in a folder that all machines share.
    """
    secrets = json.loads(job.read_bytes())["secrets"]
    with job.with_name(f"train-{_among(trainer.machines()).rank}.log").open("ab") as log:
        words, env = command(trainer, job), environment(trainer, *secrets)
        with subprocess.Popen(words, env=env, stdin=subprocess.PIPE, stdout=log, stderr=log) as child:
            child.wait()
