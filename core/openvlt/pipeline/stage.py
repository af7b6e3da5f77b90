"""A stage: one entry of the list that a recipe is compiled to, and that everything else walks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Generic, TypeVar

from openvlt.bench.questions import Questions
from openvlt.engines import Resolved
from openvlt.errors import UsageError
from openvlt.interfaces import Memory
from openvlt.pipeline.hours import Hours
from openvlt.records import BenchResult, Model, StageRecord
from openvlt.stages.load import image_digests
from openvlt.stages.near_duplicates import BenchmarkQuestions
from openvlt.stages.workspace import Output, Workspace

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Description:
    """What a plan shows of a stage.

    Attributes:
        component: what carries it out.
        rows: maximum number of rows, None if it is known only afterwards.
        model: what runs.
        memory: approximate bytes the model needs of each GPU; None if unknown, or if no model runs here.
        terms: what this consists of, as far as it is known.
        problem: why the GPUs cannot hold it, if so.
        hours: about how long it takes on the GPUs; None if that is not estimated.
        backend: name of the one that `hours` are estimated for; empty where none is.
        note: sentences on memory that `memory` does not cover.
        gpus: number that a training uses, such as ``8``, or ``2 x 8`` on two machines.
        server_gpus: number set aside for the server that a training starts.
        server_terms: bytes by name that each of these holds at least; empty if unknown.
    """

    component: str
    rows: int | None = None
    model: str = ""
    memory: float | None = None
    terms: Memory = field(default_factory=dict)
    problem: UsageError | None = None
    hours: Hours | None = None
    backend: str = ""
    note: str = ""
    gpus: str = ""
    server_gpus: int = 0
    server_terms: Memory = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made(Generic[V]):
    """What a stage has made.

    Attributes:
        record: what is kept of it in the run's record.
        value: what the stages after it work with: rows, a benchmark's questions or answers, a model.
    """

    record: StageRecord
    value: V


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows of a scoring and the result counted from them."""

    output: Output
    result: BenchResult


@dataclass
class Context:
    """What a stage is carried out with.

    Attributes:
        workspace: of the run.
        made: what the stages before it have made, by name.
        notes: choices made on the user's behalf, with their reasons.
    """

    workspace: Workspace
    made: dict[str, Made[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _shown: set[str] = field(default_factory=set)
    _held_out: dict[tuple[str, ...], frozenset[str]] = field(default_factory=dict)
    _questions: BenchmarkQuestions | None = None

    def value(self, stage: Stage[V]) -> V:
        """What a stage has made."""
        made: Made[V] = self.made[stage.name]
        return made.value

    def policy(self, trained: Stage[Model] | None) -> Model:
        """The model a training stage has made; the base where nothing has been trained yet."""
        return self.value(trained) if trained else self.workspace.models["base"]

    def resolve(self, stage: str, model: Model, trained: Stage[Model] | None) -> Resolved:
        """What the model of a stage runs on; ``policy`` is the model of `trained`."""
        self.workspace.models["policy"] = self.policy(trained)
        resolved = self.workspace.resolve(model)
        backend = resolved.backend.entry.name
        self.notes.append(f"{stage}: {backend}, because {resolved.reason}")
        note = f"The model {model.id} runs on {backend}: {resolved.reason}."
        if not isinstance(model.backend, str | Mapping) and note not in self._shown:
            self._shown.add(note)
            self.workspace.progress.note(note)
        return resolved

    def held_out_images(self, questions: Sequence[Stage[Questions]]) -> frozenset[str]:
        """Digests of the images of benchmarks, which nothing may be trained on."""
        names = tuple(stage.name for stage in questions)
        if names not in self._held_out:
            digests = (image_digests(self.value(stage).output.rows()) for stage in questions)
            self._held_out[names] = frozenset().union(*digests)
        return self._held_out[names]

    def benchmark_questions(self, questions: Sequence[Stage[Questions]]) -> BenchmarkQuestions:
        """The questions of all benchmarks, near-duplicates of which are not to be trained on."""
        if self._questions is None:
            made = {stage.name.removeprefix("load-"): self.value(stage).output for stage in questions}
            self._questions = BenchmarkQuestions(self.workspace, made)
        return self._questions


@dataclass(frozen=True, eq=False, kw_only=True)
class Stage(ABC, Generic[V]):
    """A stage, compiled: its components are built and its inputs known; nothing has been carried out.

    Fields that hold stages are its inputs.

    Attributes:
        name: unique within the run, such as ``grpo-2``.
        iteration: 1 for the first; 0 for what precedes it.
        stage_kind: what it does, such as ``train``; in its record.
    """

    name: str
    iteration: int

    stage_kind: ClassVar[str]

    @property
    def inputs(self) -> tuple[Stage[Any], ...]:
        """The stages whose output it needs."""
        values = (getattr(self, each.name) for each in fields(self))
        flat = (item for value in values for item in (value if isinstance(value, tuple) else (value,)))
        return tuple(item for item in flat if isinstance(item, Stage))

    @property
    def most(self) -> int | None:
        """Maximum number of rows, None if it is known only afterwards; by default that of its first input."""
        return self.inputs[0].most if self.inputs else None

    @abstractmethod
    def describe(self, workspace: Workspace) -> Description:
        """What a plan shows of it."""

    def check(self, workspace: Workspace) -> None:
        """Refuse, before any work, what cannot be carried out here.

        Raises:
            UsageError: what is missing, and what to do instead.
        """

    @abstractmethod
    def run(self, context: Context) -> Made[V]:
        """Carry it out, or reuse what it made before.

        Raises:
            NotDone: in a dry run, where its output is not complete.
        """


@dataclass(frozen=True, eq=False, kw_only=True)
class RowStage(Stage[Output]):
    """A stage that makes rows."""

    @abstractmethod
    def rows(self, context: Context) -> Output:
        """Carry it out, or reuse what it made before."""

    def run(self, context: Context) -> Made[Output]:
        output = self.rows(context)
        return Made(output.record, output)


def needed_by(stage: Stage[Any]) -> set[str]:
    """Names of a stage and of all stages it needs, directly or through others."""
    names = {stage.name}
    for each in stage.inputs:
        names |= needed_by(each)
    return names
