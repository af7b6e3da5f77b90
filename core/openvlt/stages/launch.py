"""How a training is started: its command, on one process or more, on one machine or more, and the GPUs it sees."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from openvlt import system
from openvlt.errors import UsageError
from openvlt.interfaces import Trainer
from openvlt.stages.servers import GPUS

GRACE_SECONDS = 120.0
"""How long a training that is asked to end may take to save a checkpoint, before it is killed."""
ROLE = "process"
"""What ``torch.distributed.run`` calls a process in front of each line it prints: ``[process1]:``."""

_RANKS = re.compile(
    r"((LOCAL|GROUP|ROLE)_)?(RANK|WORLD_SIZE)|ROLE_NAME|MASTER_(ADDR|PORT)|(TORCHELASTIC|PET)_.*"
    r"|(PMI|PMIX|OMPI_COMM_WORLD|MV2_COMM_WORLD)_.*|(ACCELERATE|FSDP)_.*"
)
"""What launchers say to the processes they start; accelerate's also has options of a training, and a recipe decides."""


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

    Raises:
        UsageError: a variable has no number.
    """
    given = {name: value for name, value in environment.items() if value}  # an empty one is not set
    get = given.get
    if "GROUP_RANK" in given and "MASTER_ADDR" in given:
        # The outer torchrun listens on its port.
        rank, nodes, address, port = "GROUP_RANK", get("GROUP_WORLD_SIZE"), given["MASTER_ADDR"], _port(given) + 1
    elif "PET_NODE_RANK" in given and "PET_MASTER_ADDR" in given:
        port = _port(given, "PET_MASTER_PORT")
        rank, nodes, address = "PET_NODE_RANK", get("PET_NNODES"), given["PET_MASTER_ADDR"]
    elif "SLURM_NODEID" in given and "SLURM_JOB_NODELIST" in given:
        job = _whole(given, "SLURM_JOB_ID", 0, 1 << 32)
        port = _port(given, otherwise=20_000 + job % 20_000)  # jobs that share a machine do not meet
        rank, nodes = "SLURM_NODEID", get("SLURM_STEP_NUM_NODES", get("SLURM_NNODES"))
        address = get("MASTER_ADDR", _first_host(given["SLURM_JOB_NODELIST"]))
    elif "MASTER_ADDR" in given and "NODE_RANK" in given:
        rank, nodes, address, port = "NODE_RANK", get("NNODES"), given["MASTER_ADDR"], _port(given)
    else:
        return None
    return Node(_whole(given, rank, 0, 1 << 16), _count(nodes), address, port)


def _port(environment: Mapping[str, str], name: str = "MASTER_PORT", otherwise: int = 29500) -> int:
    return _whole(environment, name, otherwise, 65_534)  # the next one may be used


def _whole(environment: Mapping[str, str], name: str, otherwise: int, most: int) -> int:
    """The number in a variable.

    Raises:
        UsageError: it has none, such as the URL that Kubernetes puts in MASTER_PORT for a service named master.
    """
    text = environment.get(name, str(otherwise))
    if not (text.isascii() and text.isdecimal() and int(text[:20]) <= most):
        raise UsageError(f"The variable {name} is '{text[:80]}', no number from 0 to {most}.", "Correct or unset it.")
    return int(text)


def _count(text: str | None) -> int | None:
    return int(text[:20]) if text and text.isascii() and text.isdecimal() else None


def _first_host(names: str) -> str:
    """The first host of a list as Slurm writes it: ``gpu[03-06,9],login1`` begins with gpu03."""
    first = re.match(r"(\[[^\]]*\]|[^,\[])*", names)
    return re.sub(r"\[(\d+)[^\]]*\]", r"\1", first[0] if first else names)


def check_machines(trainer: Trainer) -> None:
    """Refuse a training on several machines if this one has not been told of the others.

    Raises:
        UsageError: what is missing, and what to do.
    """
    if (nodes := trainer.machines()) > 1:
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
    if node.rank >= nodes:
        raise UsageError(
            f"The training uses {nodes} nodes, and the environment gives this one the rank {node.rank}.",
            f"Ranks are 0 to {nodes - 1}.",
        )
    for name in ("LOCAL_RANK", "SLURM_LOCALID"):
        if os.environ.get(name, "0") not in ("", "0"):
            raise UsageError(
                f"The command runs several times on this machine ({name} is {os.environ[name]}).",
                "Run it once on each (srun --ntasks-per-node=1, torchrun --nproc-per-node=1): it starts the processes.",
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

    One process that saw several would put the model on all of them. What an outer ``torchrun``, ``mpirun`` or
    ``accelerate launch`` said to this process is not said to its children, which have ranks of their own.

    Args:
        trainer: about to run.
        secrets: names of the secret variables that it needs.
    """
    # By itself torchrun kills its processes 30 s after it was asked to end them.
    grace = f"{GRACE_SECONDS:.0f}"
    kept = system.child_environment(*secrets, TOKENIZERS_PARALLELISM="false", TORCH_ELASTIC_SHUTDOWN_TIMEOUT=grace)
    gpus, devices = system.visible_gpus(), trainer.devices_used()
    shown = {"CUDA_VISIBLE_DEVICES": gpus[:devices], GPUS: gpus[devices : devices + trainer.server_devices()]}
    return {name: value for name, value in kept.items() if not _RANKS.fullmatch(name)} | {
        name: ",".join(found) for name, found in shown.items() if found
    }


def take_part(trainer: Trainer, job: Path, goes_on: Callable[[], bool]) -> bool:
    """Carry out this machine's part of a training, of which the machine with rank 0 has written the job.

    It ends with the training, however that ends; the machine with rank 0 tells why.

    Args:
        trainer: of the training.
        job: ``job.json``, in a folder that all machines share.
        goes_on: whether the machine with rank 0 is still at work; ``torchrun`` itself does not notice its end.

    Returns:
        True if all is done.
    """
    secrets = json.loads(job.read_bytes())["secrets"]
    with job.with_name(f"train-{_among(trainer.machines()).rank}.log").open("ab") as log:
        child = started(command(trainer, job), environment(trainer, *secrets), log)
        try:
            while child.poll() is None and goes_on():
                time.sleep(1)
        finally:
            end(child)
    return child.returncode == 0


def started(command: list[str], environment: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """The process of a training, in a session of its own, so that `end` decides when a signal reaches it."""
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
    )


def end(child: subprocess.Popen[bytes]) -> None:
    """End a training and its children: a signal asks them to save and end, then force ends what is left.

    A child that was started by the child leads a session of its own if there are several processes; it ends when its
    input is closed.
    """
    try:
        if child.poll() is None:
            system.end(child, by_force=False)
            with suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_SECONDS)
    finally:
        assert child.stdin is not None
        with suppress(BrokenPipeError):
            child.stdin.close()
        system.end(child, by_force=True)
        child.wait()
