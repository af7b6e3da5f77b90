"""A whole loop that can be disturbed: its recipe, how it is started, and what of it must never differ.

It is a one-file plugin too: trainers that learn a digest of all they have seen, in steps with a checkpoint each, so that
a step that is lost, done twice or rewarded otherwise shows in the model and in every score after it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, ClassVar

from openvlt import Checkpoint, Claim, Completion, Option, Reads, Trainer, TrainJob, hookimpl, parse

PLUGINS = (Path(__file__), Path(__file__).parents[1] / "plugins" / "fake" / "openvlt_fake.py")
NAME = "loop"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

INSTANT = """
name: loop
base: {{id: {model}, backend: fake}}
captioner: {{use: qwen-vl, model: {{id: base}}, prompt: Describe the image.}}
traces:
  data: {{source: {{use: made, n: {examples}, per_image: 2}}}}
  teacher: {{use: tutor, k: 2, model: {{id: base}}}}
  select: [correct, {{use: per-question, count: 1}}]
train:
  sft: {{trainer: {{use: digest-sft, seconds: {seconds}}}}}
  grpo: {{trainer: {{use: digest-grpo, seconds: {seconds}}}, data: {{source: {{use: made, n: 12}}}}}}
iterations: [{{}}, {{traces: {{teacher: {{use: policy, k: 2}}}}}}]
rewards: {{answer: 1.0, luck: 0.1}}
bench: {{use: made, n: {examples}}}
reject_above: 0.9
"""
REAL = """
name: loop
base: {{id: tiny-vl, dtype: float32}}
captioner: {{use: qwen-vl, model: {{id: base}}, prompt: Describe the image., max_tokens: 8}}
traces:
  data: {{source: {{use: made, n: {examples}}}}}
  teacher: {{use: policy, k: 2, max_tokens: 12}}
  select: [{{use: per-question, count: 1}}]
train:
  sft: {{trainer: {{use: sft, batch: 4, device_batch: 4, freeze: [vision], epochs: 2, save_steps: 1}}}}
  grpo:
    data: {{source: {{use: made, n: 8}}}}
    trainer:
      {{use: grpo, steps: 4, prompts: 2, generations: 2, batch: 4, device_batch: 4, max_tokens: 8, beta: 0.0,
        freeze: [vision], save_every: 1}}
rewards: {{luck: 1.0}}
bench: {{use: made, n: {examples}}}
bench_tokens: 8
reject_above: 1.0
"""
TIMES = re.compile(r"seconds|time$|_per_second$|^cached$|^tokens$|^checksum$")
"""What tells how long a command took, or how much of the work it found done; tokens are those that it computed itself."""


@dataclass(frozen=True)
class Loop:
    """A recipe in a folder, and the commands on it.

    Attributes:
        folder: of the recipe, the base model and the home.
        real: with models and trainings that compute, in processes of their own; else a forked child, at once.
        seconds: time that each chunk of the engine and each step of a training takes, if nothing computes.
    """

    folder: Path
    real: bool = False
    seconds: float = 0.0

    @property
    def recipe(self) -> str:
        return str(self.folder / "loop.yaml")

    def write(self, examples: int) -> Loop:
        """Write the recipe and its base model, and import what every forked child needs."""
        model = self.folder / "base"
        model.mkdir()
        (model / "skill.json").write_text('{"skill": 0.5}')
        text = (REAL if self.real else INSTANT).format(model=model, examples=examples, seconds=self.seconds)
        Path(self.recipe).write_text(text)
        if not self.real:
            handlers = {number: signal.getsignal(number) for number in SIGNALS}
            with redirect_stdout(StringIO()):
                _main(self._command(("train", self.recipe, "--plan")))
            for number, handler in handlers.items():  # a signal that comes right after the fork must not be missed
                signal.signal(number, handler)
        return self

    @property
    def home(self) -> Path:
        """Every run is in this folder: a score tells which model it is of by its path too."""
        return self.folder / "home"

    def said(self, command: str = "train") -> Path:
        """The file with what a command said last."""
        return self.folder / f"{command}.txt"

    def start(self, *words: str) -> int:
        """Start a command, by default the training; returns its process."""
        sys.stdout.flush()
        command = self._command(words or ("train", self.recipe))
        said, flags = str(self.said(*words[:1])), os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        if self.real:
            opened = [(os.POSIX_SPAWN_OPEN, 1, said, flags, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
            return os.posix_spawn(sys.executable, [sys.executable, "-m", *command], os.environ, file_actions=opened)
        if child := os.fork():
            return child
        code = 70
        try:
            file = os.open(said, flags, 0o600)
            os.dup2(file, 1)
            os.dup2(file, 2)
            code = _main(command)
        finally:  # the child never returns to what its parent does next
            os._exit(code)

    def run(self, *words: str) -> tuple[int, str]:
        """Carry out a command; returns its exit code and what it said."""
        _, status = os.waitpid(self.start(*words), 0)
        return os.waitstatus_to_exitcode(status), self.said(*words[:1]).read_text(errors="replace")

    def _command(self, words: Sequence[str]) -> list[str]:
        os.environ |= {"OPENVLT_HOME": str(self.home), "OPENVLT_FAKE": json.dumps({"seconds": self.seconds})}
        os.environ |= {"OMP_NUM_THREADS": "1"}  # of a tiny model, threads wait for each other more than they compute
        return ["openvlt", *(word for plugin in PLUGINS for word in ("--plugin", str(plugin))), *words]


def _main(command: list[str]) -> int:
    """The command line as a user has it, in this process."""
    from openvlt.__main__ import main

    sys.argv = command
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:  # noqa: BLE001 - what even the command line does not catch
        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def record(home: Path) -> dict[str, Any]:
    """The record of the run as it is on disk; empty if there is none."""
    path = home / "runs" / NAME / "run.json"
    return dict(json.loads(path.read_bytes())) if path.exists() else {}


ROWS = ("rows.jsonl", "rejected.jsonl")
WRITTEN = (*ROWS, "stage.json", "metrics.jsonl")


def outputs(home: Path, names: Sequence[str] = WRITTEN) -> dict[str, bytes]:
    """What two runs must agree in, without times: the record, the models, and the files of stages with these names."""
    run = record(home)
    found = {"run.json": _plain(json.dumps(run))}
    for stage in run["stages"]:
        folder = home / stage["folder"]
        for path in sorted(path for path in folder.rglob("*") if _kept(path.relative_to(folder), names)):
            lines = path.read_bytes()
            if path.suffix == ".json" or path.name == "metrics.jsonl":
                lines = b"\n".join(_plain(line) for line in _documents(path, lines))
            found[f"{stage['name']}/{path.relative_to(folder)}"] = lines
    return found


def _kept(path: Path, names: Sequence[str]) -> bool:
    if str(path.parent) == ".":
        return path.name in names
    return not path.parts[0].startswith("checkpoint-") and path.suffix in (".json", ".jinja", ".safetensors")


def _documents(path: Path, content: bytes) -> list[bytes]:
    return content.splitlines() if path.suffix == ".jsonl" else [content]


def _plain(document: str | bytes) -> bytes:
    """A JSON document without times."""
    return json.dumps(_untimed(json.loads(document)), sort_keys=True, indent=1).encode()


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _untimed(each) for key, each in value.items() if not TIMES.search(key)}
    return [_untimed(each) for each in value] if isinstance(value, list) else value


def differences(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """Names of the outputs that are not equal, or that one has only."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


@dataclass(frozen=True)
class DigestSft(Trainer):
    """Learns a digest of its traces, and leaves a checkpoint after each step."""

    steps: int = 5
    seconds: Annotated[float, Option("time of a step", affects_output=False)] = 0.0

    def train(self, job: TrainJob) -> Checkpoint:
        done = int(job.checkpoint.name.partition("-")[2]) if job.checkpoint else 0
        before = job.checkpoint / "state.txt" if job.checkpoint else Path(job.model.id) / "skill.json"
        state = before.read_text()
        for step in range(done + 1, self.steps + 1):
            time.sleep(self.seconds)
            state = sha256(f"{state} {step} {self.learn(job, step, state)}".encode()).hexdigest()
            job.log({"step": step, "steps": self.steps, "loss": int(state[:8], 16) / 2**32})
            checkpoint = job.folder / f"checkpoint-{step}"
            checkpoint.mkdir(exist_ok=True)
            (checkpoint / "state.txt").write_text(state)
            job.saved(checkpoint)
        target = job.folder / "model"
        shutil.copytree(job.model.id, target, dirs_exist_ok=True)
        skill = 0.4 + 0.6 * int(state[:8], 16) / 2**32
        (target / "skill.json").write_text(json.dumps({"skill": skill, "state": state}))
        return Checkpoint(target, {"loss": skill})

    def learn(self, job: TrainJob, step: int, state: str) -> object:
        """What a step adds to the state."""
        return [trace.raw for trace in job.traces()]


@dataclass(frozen=True)
class DigestGrpo(DigestSft):
    """Learns a digest of the rewards of responses, each right or wrong by what it has learned before."""

    reads: ClassVar[Reads] = "prompts"
    rewarded: ClassVar[bool] = True

    def learn(self, job: TrainJob, step: int, state: str) -> object:
        claims = []
        for place, example in enumerate(job.examples()):
            right = sha256(f"{state}{place}".encode()).digest()[0] < 128
            raw = f"<think>so</think>\n<answer>{example.answer if right else 'nonsense'}</answer>"
            claims.append(Claim(trace=parse(Completion(text=raw), job.format), example=example, group=str(step)))
        return [row.reward for row in job.reward(claims)]


@hookimpl
def register_trainers(register: Any) -> None:
    register("digest-sft", DigestSft, summary="learns a digest of its traces")
    register("digest-grpo", DigestGrpo, summary="learns a digest of its rewards")
