"""The components that train models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

from openvlt.interfaces.component import Component
from openvlt.interfaces.memory import Gpus, Memory, Workload
from openvlt.records import Claim, Example, Format, Image, Model, ModelShape, Trace, Verdict

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model: a folder that loads on its own, and the metrics of the training."""

    folder: Path
    metrics: Mapping[str, float] = field(default_factory=dict)


Reads: TypeAlias = Literal["traces", "pairs", "prompts"]
"""What a trainer learns from."""


class Rewarded(Protocol):
    """The reward of one claim, None to exclude it from the update, and the verdicts it is made of."""

    @property
    def reward(self) -> float | None: ...

    @property
    def verdicts(self) -> Mapping[str, Verdict]: ...


class TrainJob(Protocol):
    """What a trainer is given, inside a process of its own.

    Attributes:
        model: the folder to start from, with the dtype and pixel limits to train with.
        format: how the policy is asked and answers.
        folder: for checkpoints, each a folder ``checkpoint-N`` with a growing N, and for the result.
        seed: for everything random.
        checkpoint: the last complete one of an interrupted training, which it resumes from; None at the
            first attempt. What was logged and rewarded after it has been removed.
        engine: a folder in `folder` for a trainer of another environment, with checkpoints of its own; it is kept
            between attempts, and removed when the training is done.
        rewards: for a rewarded trainer, ``rewards``, ``routes``, ``verifiers`` and ``format`` as in a recipe, and
            ``plugins``, files.
    """

    model: Model
    format: Format
    folder: Path
    seed: int
    checkpoint: Path | None
    engine: Path
    rewards: Mapping[str, Any]

    def examples(self) -> Sequence[Example]:
        """The examples to train on, in order."""
        ...

    def traces(self) -> Sequence[Trace]:
        """For a trainer that reads traces: the trace of each example, in the same order."""
        ...

    def pairs(self) -> Sequence[tuple[Trace, Trace]]:
        """For a trainer that reads pairs: a correct and an incorrect trace of each example, in the same order."""
        ...

    def read(self, image: Image) -> Picture:
        """Decode an image of the store."""
        ...

    def content(self, image: Image) -> bytes:
        """The file of an image of the store."""
        ...

    def reward(self, claims: Sequence[Claim]) -> Sequence[Rewarded]:
        """The composite reward of each claim, in order; it never raises for a claim."""
        ...

    def log(self, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step: in the progress and in ``metrics.jsonl``."""
        ...

    def run(
        self, command: Sequence[str], watch: Callable[[], None] = lambda: None, environment: Mapping[str, str] = {}
    ) -> None:
        """Run a command of another environment in the folder `engine`, if the user allows it.

        Args:
            command: program and arguments; what it prints is appended to ``engine.log``.
            watch: called twice a second while it runs, and once more after; what it raises ends the command.
            environment: variables to add to those of this process.

        Raises:
            OpenvltError: it failed; the message has the last error it printed.
        """
        ...

    def serve(self, command: Sequence[str], environment: Mapping[str, str] = {}) -> None:
        """Start a server in this environment, on the GPUs of `Trainer.server_devices`; it ends with the training.

        If it ends by itself, the training ends with its last error.

        Args:
            command: program and arguments; what it prints is appended to ``server.log``.
            environment: variables to add to those of this process.
        """
        ...

    def saved(self, checkpoint: Path) -> None:
        """Complete a checkpoint of which every file is written; without this it does not count.

        Of several processes one calls it, while the others wait.
        """
        ...


class Trainer(Component, ABC):
    """Trains a model.

    A field of type `Model` (a teacher for on-policy distillation, a reward model) is located before the training
    starts: in `train` its id is a local folder, a hub id or the id an endpoint serves. Its content is part of the
    stage's fingerprint.

    Attributes:
        reads: ``traces`` (examples with a trace each: supervised training), ``pairs`` (examples with a correct and an
            incorrect trace each: preference optimisation) or ``prompts`` (examples alone: reinforcement).
        rewarded: True if it calls ``job.reward``; the rewards are then part of the stage's fingerprint.
    """

    reads: ClassVar[Reads] = "traces"
    rewarded: ClassVar[bool] = False

    def batch_rows(self) -> int:
        """Traces, pairs or prompts of one batch: the fewest to train on, unless the recipe sets ``min_rows``."""
        return 1

    def check_model(self, config: Mapping[str, Any]) -> None:
        """Refuse the model that the training starts from, before any work, by what its ``config.json`` says.

        Raises:
            UsageError: the trainer cannot train it as its options say.
        """

    def check_machine(self) -> None:
        """Refuse what cannot be done here, such as an option whose package is not installed.

        Called before any work, on the machine that trains.

        Raises:
            UsageError: what is missing, and how to get it.
        """

    def processes(self) -> int:
        """Number of processes that train together on a machine, each on its part of the batch and on its own GPU."""
        return 1

    def devices_used(self) -> int:
        """GPUs that its processes use together on a machine; they see no others."""
        return self.processes()

    def planned_gpus(self, gpus: Gpus) -> tuple[int, int]:
        """Machines, and GPUs of each, that it would use where each has these GPUs; a plan may be for others than here.

        Machines that an engine manages by itself count too.
        """
        return self.machines(), self.devices_used()

    def server_devices(self) -> int:
        """GPUs set aside for a server that the training starts with `TrainJob.serve`; its processes do not see them."""
        return 0

    def machines(self) -> int:
        """Number of machines that train together, each with as many processes."""
        return 1

    def memory(self, shape: ModelShape, work: Workload) -> Memory | None:
        """What each process holds on its GPU at its fullest; None if unknown.

        Args:
            shape: of the model it starts from.
            work: the lengths it trains on, and the GPUs.
        """
        return None

    def server_memory(self, shape: ModelShape, work: Workload) -> Memory | None:
        """The least that each of the GPUs of `server_devices` holds; None without a server, or if unknown."""
        return None

    def memory_note(self, shape: ModelShape | None, work: Workload) -> str:
        """Sentences for a plan on what `memory` cannot tell, such as GPUs that others run; empty if there are none."""
        return ""

    def hours(self, shape: ModelShape, work: Workload, rows: int) -> float | None:
        """About how long the training takes on the GPUs, from a throughput that the trainer documents; None if unknown.

        Args:
            shape: of the model it starts from.
            work: the lengths it trains on, and the GPUs.
            rows: traces, pairs or examples, whichever it reads.
        """
        return None

    def savings(self) -> Sequence[Mapping[str, Any]]:
        """Changes of options that need less memory, from the least intrusive; a plan that does not fit names them."""
        return ()

    def secrets(self) -> Sequence[str]:
        """Names of environment variables that hold secrets the training needs; it sees no others."""
        return ()

    @abstractmethod
    def train(self, job: TrainJob) -> Checkpoint:
        """Train to the end, from ``job.checkpoint`` if there is one; the model is saved in ``job.folder``."""
