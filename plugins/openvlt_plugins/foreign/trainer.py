"""What the foreign trainers share: options, the table of their keys, and the steps of a training."""

from __future__ import annotations

import json
import os
import re
import shutil
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Interval

from openvlt import (
    Checkpoint,
    DataError,
    Gpus,
    MaxTokens,
    ModelShape,
    OpenvltError,
    Option,
    Reads,
    TopP,
    Trainer,
    TrainJob,
    UsageError,
    Workload,
    command_output,
    handed_over,
)
from openvlt_plugins.foreign.metrics import Follower
from openvlt_plugins.foreign.weights import check_weights

LOCAL = ("127.0.0.1", "localhost", "::1")
PROBE = """
import importlib.metadata, importlib.util, json, pathlib
spec = importlib.util.find_spec("verl")
root = pathlib.Path(spec.origin).parent if spec and spec.origin else None
found = {} if root is None else {
    "root": str(root), "version": importlib.metadata.version("verl"),
    "files": [str(file.relative_to(root)) for file in root.rglob("*.py")],
    "freezes": any("freeze_vision_tower" in file.read_text(errors="ignore")
                   for file in root.rglob("*.py") if file.parent.name != "config" and file.name != "config.py"),
}
print(json.dumps(found))
"""
"""Looks at the package `verl`, which both engines have, without importing it."""


@dataclass(frozen=True)
class ForeignTrainer(Trainer):
    """GRPO by an engine of another environment; the defaults are OpenVLThinker's, as those of `grpo`.

    The engine gets the questions as Parquet, its configuration from `KEYS`, and its rewards from a server of the
    recipe's reward. It saves and resumes by itself; its last checkpoint is merged into the model.

    Attributes:
        KEYS: what `values` names, to the engine's keys for it.
        FIXED: keys that are the same for every recipe, unless `extra` sets them.
        HELD: those of them that `extra` may not set.
        LEAST: the first release that has all keys.
        TRACKER: the file that says which checkpoint is the last.
        PUBLISHED: what the engine's authors say that GRPO of all weights takes, by billions of parameters.
    """

    reads: ClassVar[Reads] = "prompts"
    rewarded: ClassVar[bool] = True
    form: ClassVar[Literal["verl", "easyr1"]]
    module: ClassVar[str]
    reward_metric: ClassVar[str]
    single: ClassVar[bool]
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]]
    FIXED: ClassVar[Mapping[str, Any]]
    HELD: ClassVar[frozenset[str]]
    LEAST: ClassVar[tuple[int, ...]]
    TRACKER: ClassVar[str]
    PUBLISHED: ClassVar[Mapping[float, str]]

    python: Annotated[str, Option("Python of the environment the engine is installed in", affects_output=False)]
    learning_rate: Annotated[float, Interval(gt=0, lt=1), Option("peak learning rate")] = 1e-6
    warmup: Annotated[float, Interval(ge=0, le=1), Option("fraction of the updates over which the rate increases")] = 0
    weight_decay: Annotated[float, Ge(0), Option("weight decay of AdamW")] = 0.01
    max_grad_norm: Annotated[float, Gt(0), Option("norm to which gradients are clipped")] = 1.0
    steps: Annotated[int | None, Ge(1), Option("generations; overrides epochs", unit="generations")] = None
    epochs: Annotated[int, Ge(1), Option("passes over the prompts")] = 5
    prompts: Annotated[int, Ge(1), Option("prompts per generation, over all GPUs", unit="prompts")] = 512
    generations: Annotated[int, Ge(2), Option("responses sampled per prompt: a group", unit="responses")] = 5
    batch: Annotated[int, Ge(1), Option("responses per update, over all GPUs", unit="responses")] = 640
    device_batch: Annotated[int, Ge(1), Option("responses a GPU holds in an update", unit="responses")] = 2
    score_batch: Annotated[
        int, Ge(1), Option("responses a GPU holds when their log-probabilities are computed", unit="responses")
    ] = 4
    temperature: Annotated[float, Gt(0), Option("of the rollouts")] = 1.0
    top_p: TopP = 1.0
    max_prompt: Annotated[int, Ge(1), Option("prompts that are longer, images included, are dropped", "tokens")] = 6144
    max_tokens: MaxTokens = 2048
    beta: Annotated[float, Ge(0), Option("weight of the KL term in the loss")] = 0.01
    epsilon: Annotated[float, Interval(gt=0, lt=1), Option("clip range below")] = 0.2
    epsilon_high: Annotated[float, Gt(0), Option("clip range above")] = 0.3
    delta: Annotated[float, Gt(1), Option("dual clip of the ratio for negative advantages")] = 3.0
    loss_type: Annotated[
        Literal["bnpo", "grpo"], Option("mean over the tokens of a batch, or over responses of their means")
    ] = "bnpo"
    freeze: Annotated[
        tuple[Literal["vision", "projector"], ...], Option("frozen parts; the engine freezes both or neither")
    ] = ()
    offload: Annotated[bool, Option("parameters and optimizer in main memory", affects_output=False)] = True
    vllm_memory: Annotated[float, Interval(gt=0, lt=1), Option("share of a GPU for rollouts", affects_output=False)] = (
        0.6
    )
    vllm_tensor_parallel: Annotated[int, Ge(1), Option("GPUs a rollout is split over", affects_output=False)] = 2
    gpus: Annotated[int, Ge(1), Option("GPUs of a node", affects_output=False)] = 8
    nodes: Annotated[int, Ge(1), Option("nodes of the Ray cluster", affects_output=False)] = 1
    save_every: Annotated[
        int, Ge(1), Option("generations between checkpoints", unit="generations", affects_output=False)
    ] = 10
    keep: Annotated[int, Ge(1), Option("checkpoints kept", affects_output=False)] = 2
    host: Annotated[str, Option("address at which the nodes reach this machine", affects_output=False)] = "127.0.0.1"
    reward_workers: Annotated[int, Ge(1), Option("processes of the reward server", affects_output=False)] = 4
    secrets_needed: Annotated[
        tuple[str, ...], Option("environment variables with secrets the engine may see", affects_output=False)
    ] = ()
    extra: Annotated[Mapping[str, Any], Option("further keys of the engine")] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name, rollouts = self.form, self.prompts * self.generations
        if self.batch % self.generations or rollouts % self.batch:
            raise UsageError(
                f"{name} cannot divide {rollouts} responses (prompts x generations) into batches of {self.batch}, each "
                f"of whole groups of {self.generations}.",
                "Choose batch as a multiple of generations that divides prompts x generations.",
            )
        if self.freeze and {*self.freeze} != {"vision", "projector"}:
            raise UsageError(
                f"{name} freezes vision tower and projector together, and freeze is [{', '.join(self.freeze)}].",
                "Choose freeze: [vision, projector], or freeze: [].",
            )
        if self.nodes > 1 and self.host in LOCAL:
            raise UsageError(
                f"{name} runs on {self.nodes} nodes, which cannot reach the reward server at {self.host}.",
                "Set host to the address of this machine in their network.",
            )
        self._check_extra()

    def _check_extra(self) -> None:
        """Refuse further keys that replace what openvlt sets, or that no command line can have."""
        ours = {key.lstrip("+"): name for name, keys in self.KEYS.items() for key in keys}
        for written_key, value in flat(self.extra):
            key = written_key.lstrip("+~")
            if not re.fullmatch(r"[\w.@/:-]+", key):
                raise UsageError(f"extra sets '{written_key[:80]}', which is no key of {self.form}.", "Correct it.")
            if (option := ours.get(key)) is not None:
                raise UsageError(f"extra sets {written_key}, which {option} sets.", f"Use the option or key {option}.")
            if below := [each for each in {**ours, **self.FIXED} if each.startswith(f"{key}.")]:
                raise UsageError(f"extra replaces all of {written_key}, and with it {below[0]}.", "Set single keys.")
            if key in self.HELD:
                raise UsageError(f"extra sets {written_key}, which openvlt decides.", "Remove it.")
            if key == "trainer.logger" and "file" not in (value if isinstance(value, list | tuple) else ()):
                raise UsageError(
                    "extra sets trainer.logger without file, from where openvlt reads the metrics.",
                    "Write a list that has it, such as [console, file, wandb].",
                )
            written(value)

    def secrets(self) -> Sequence[str]:
        return self.secrets_needed

    def batch_rows(self) -> int:
        return self.prompts

    def devices_used(self) -> int:
        return self.gpus

    def planned_gpus(self, gpus: Gpus) -> tuple[int, int]:
        return self.nodes, self.gpus

    def memory_note(self, shape: ModelShape | None, work: Workload) -> str:
        used = f"{self.gpus} GPU{'s' * (self.gpus > 1)}" + f" of each of {self.nodes} nodes" * (self.nodes > 1)
        said = (
            f"{self.form}, in the environment of {self.python}, uses {used} and manages their memory itself (options "
            "offload, vllm_memory, vllm_tensor_parallel)."
        )
        if not shape:
            return said
        size = min(self.PUBLISHED, key=lambda each: abs(log(each * 1e9 / shape.text)))
        return f"{said} Its authors list for GRPO of all weights of {size:g}B: {self.PUBLISHED[size]}."

    def check_machine(self) -> None:
        found = self.probe()
        if f"{self.module.replace('.', '/').removeprefix('verl/')}.py" not in found.get("files", ()):
            raise UsageError(
                f"{self.python} has no {self.form} ({self.module} is not there).",
                "Install it in that environment, or name another.",
            )
        if tuple(map(int, re.findall(r"\d+", found["version"])[:3])) < self.LEAST:
            raise UsageError(
                f"The {self.form} {found['version']} of {self.python} has other keys than those openvlt sets.",
                f"Install {'.'.join(map(str, self.LEAST))} or later.",
            )
        if self.freeze and not found["freezes"]:
            raise UsageError(
                f"The {self.form} {found['version']} of {self.python} reads freeze_vision_tower nowhere, so that it "
                "would train the vision tower.",
                "Use another release or engine, or set freeze: [].",
            )
        if self.nodes > 1 and not os.environ.get("RAY_ADDRESS"):
            raise UsageError(
                f"{self.form} runs on {self.nodes} nodes, and RAY_ADDRESS names no Ray cluster.",
                "Start Ray on the nodes and set RAY_ADDRESS.",
            )

    def probe(self) -> dict[str, Any]:
        """What the environment has; the program may print something before."""
        printed = command_output([self.python, "-c", PROBE]).strip()
        try:
            found: dict[str, Any] = json.loads(printed.rpartition("\n")[2])
        except ValueError as error:
            raise UsageError(
                f"{self.python} does not run Python: it printed {printed[-80:]!r}.",
                "Give the path of the Python that the engine is installed in.",
            ) from error
        return found

    def train(self, job: TrainJob) -> Checkpoint:
        if (rows := len(job.examples())) < self.prompts:
            raise UsageError(
                f"{self.form} has {rows} examples, and drops what is no whole batch of {self.prompts} prompts.",
                "Load more examples, or lower the option prompts.",
            )
        folder, model = job.engine, job.folder / "model"
        folder.mkdir(exist_ok=True)
        total = self.steps or len(job.examples()) * self.epochs // self.prompts
        done, counts = folder / "trained.json", dict[str, float]()
        if not done.exists():
            follower = Follower(job, self.metrics_file(folder), self.last_step(folder) or 0, total, self.reward_metric)
            with handed_over(job, self.form, folder, self.host, self.reward_workers) as server:
                if server.grouped and self.single:
                    raise UsageError(
                        f"The verifiers {', '.join(server.grouped)} compare the responses to a question, and "
                        f"{self.form} scores each alone.",
                        "Give them no weight in this phase, or use a trainer that scores batches.",
                    )

                def watch() -> None:
                    server.watch()
                    follower.read()

                job.run(self.command(job), watch, self.environment(follower.path))
                counts = {name: float(count) for name, count in server.verdicts().items()}
            printed = (job.folder / "engine.log").read_text(errors="replace")
            self._check_end(self.last_step(folder), printed, job.folder / "engine.log")
            partial = done.with_suffix(".partial")
            partial.write_text(json.dumps({**follower.last, **counts, **self.counts(printed)}))
            partial.replace(done)
        shutil.rmtree(model, ignore_errors=True)
        self.merge(job, folder / f"global_step_{self.last_step(folder)}" / "actor", model)
        try:
            check_weights(model, Path(job.model.id))
        except ValueError as error:
            raise DataError(f"The model that {self.form} left is not the one it began with: {error}.") from error
        return Checkpoint(model, json.loads(done.read_bytes()))

    def _check_end(self, last: int | None, printed: str, log: Path) -> None:
        """Refuse what an engine left that ended, without an error, before its last step."""
        if last is None:
            raise OpenvltError(f"{self.form} has ended without a checkpoint.", f"See {log} for what it did.")
        counted = re.findall(r"Total training steps: (\d+)", printed)
        if last < (steps := self.steps or int((counted or [0])[-1])):
            raise OpenvltError(
                f"{self.form} has ended after step {last} of {steps}.",
                f"See {log} for what it did; the same command resumes from its last checkpoint.",
            )

    def values(self, job: TrainJob) -> dict[str, Any]:
        """What the engine is told, by the names in `KEYS`: the options, and what a job adds.

        Without `steps` the engine counts them itself, since it may drop prompts; with them it needs epochs enough.
        """
        low, high = job.model.pixels or (None, None)
        files = sorted(map(str, (job.engine / "data").glob("train-*.parquet")))
        return {
            **{name: getattr(self, name) for name in self.KEYS if hasattr(self, name)},
            "batch": self.batch // self.generations,
            "freeze": bool(self.freeze),
            "epochs": self.steps or self.epochs,
            "model": job.model.id,
            "seed": job.seed,
            "pixels": high,
            "least_pixels": low,
            "data": files,
            "held_back": files[:1],
            "folder": str(job.engine),
            "name": job.folder.name,
            "reward": str(job.engine / "reward.py"),
        }

    def command(self, job: TrainJob) -> list[str]:
        """What starts the engine: its entry and ``key=value`` for each key."""
        values = self.values(job)
        told = {key: values[name] for name, keys in self.KEYS.items() for key in keys}
        settings = {**self.FIXED, **told, **dict(flat(self.extra))}
        unset = {key for key, value in settings.items() if value is None and key.startswith("+")}
        words = [f"{key}={written(value)}" for key, value in settings.items() if key not in unset]
        return [self.python, "-m", self.module, *words]

    def counts(self, printed: str) -> dict[str, float]:
        """What is counted of what the engine printed, such as the prompts it dropped."""
        return {}

    @abstractmethod
    def metrics_file(self, folder: Path) -> Path:
        """Where the engine writes its metrics, one JSON object a line."""

    @abstractmethod
    def environment(self, metrics: Path) -> dict[str, str]:
        """Variables the engine reads."""

    def last_step(self, folder: Path) -> int | None:
        """The step of the last complete checkpoint; None if there is none.

        The engines overwrite the tracker in place, after all else of a checkpoint: a kill or a full disk leaves it
        empty, and the last checkpoint whole. Then it is written again, since they cannot go on without it.
        """
        tracker = folder / self.TRACKER
        if not tracker.exists():
            return None
        steps = [int(path.name[12:]) for path in folder.glob("global_step_*") if path.name[12:].isdecimal()]
        try:
            told, damaged = self.tracked(tracker.read_bytes()), False
        except (ValueError, KeyError, TypeError):
            told, damaged = max(steps, default=0), True
        last = max((step for step in steps if step <= told), default=None)
        if last is None:
            tracker.unlink()
        elif (last, damaged) != (told, False):
            tracker.write_bytes(self.tracker(last))
        return last

    @abstractmethod
    def tracked(self, content: bytes) -> int:
        """The step that the tracker says; a ValueError, KeyError or TypeError if it is damaged."""

    @abstractmethod
    def tracker(self, step: int) -> bytes:
        """A tracker that says a step."""

    @abstractmethod
    def merge(self, job: TrainJob, shards: Path, model: Path) -> None:
        """Make a folder that transformers loads of the shards of a checkpoint."""


def flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings with their dotted keys; an empty mapping is a leaf."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def written(value: Any) -> str:
    """A value as Hydra and OmegaConf read it: JSON, in which ``${`` would be an interpolation.

    Raises:
        UsageError: it has a character that they read differently.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The engine cannot be given {value!r:.200}.", "Use text, whole numbers or fractions."
        ) from error
    if "\\" in text or "${" in text:
        raise UsageError(f"The engine cannot be given {text[:200]}.", "Use a value without quotes, backslashes and ${.")
    return text
