"""The schema of a recipe."""

from __future__ import annotations

from difflib import get_close_matches
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    field_validator,
    model_validator,
)

from openvlt.recipe.positions import SourcePositions, split
from openvlt.recipe.short_forms import ModelSpec, Spec, Specs, written_out
from openvlt.records import Format, Weight


def _executor(value: Any) -> Any:
    return written_out("executor", value)


NUMBER, BLOCK = "number", "block"
"""Tags of what a key holds, where that may be a block or something shorter; they are in the location of an error."""


def _weights(weights: dict[str, float | Weight]) -> dict[str, float | Weight]:
    numbers = [each.weight if isinstance(each, Weight) else each for each in weights.values()]
    if not all(map(isfinite, numbers)):
        raise ValueError("a weight must be finite")
    if weights and not any(numbers):
        raise ValueError("at least one weight must differ from 0")
    return weights


WeightSpec = Annotated[
    Annotated[float, Field(allow_inf_nan=False), Tag(NUMBER)] | Annotated[Weight, Tag(BLOCK)],
    Discriminator(lambda value: BLOCK if isinstance(value, dict | Weight) else NUMBER),
]
"""A weight: a number, or ``{weight: ..., when: VERIFIER.STATUS}``."""
Weights = Annotated[dict[str, WeightSpec], AfterValidator(_weights)]
"""Reward name to weight."""


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ExecutorSpec(_Block):
    """Where models run; it changes no output.

    Attributes:
        use: ``local``, in the process of the run, or ``ray``, in actors of a Ray cluster.
        engines: engines per model, each in an actor; None is as many as the cluster has room for.
        cpus: CPUs per engine.
        gpus: GPUs per engine; None is one if the cluster has any.
        address: of the cluster; None is that in ``RAY_ADDRESS``, else one started on this machine.
    """

    use: Literal["local", "ray"] = "local"
    engines: Annotated[int, Field(ge=1, strict=True)] | None = None
    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Annotated[float, Field(ge=0)] | None = None
    address: str | None = None


class Data(_Block):
    """The examples of a step.

    Attributes:
        source: the source component.
        split: which of its splits.
        limit: maximum number of examples, after filtering.
        filters: example filters, in order.
    """

    source: Spec
    split: str = "train"
    limit: int | None = Field(None, ge=1, strict=True)
    filters: Specs = []


class Traces(_Block):
    """How the traces of an iteration are made.

    Attributes:
        data: the examples.
        teacher: writes the chains; ``policy`` is the model trained last, else the base.
        select: trace filters, in order; None is ``correct``; none, if a phase reads pairs or nothing verifies.
    """

    data: Data
    teacher: Spec
    select: Specs | None = None


TRACES = "traces"
"""A phase's data may be this word: the traces that its iteration has selected."""


class Phase(_Block):
    """One training.

    Attributes:
        trainer: the component.
        start: ``base``, ``previous`` (the model of the phase before, else of the iteration before, else the base) or
            any model; None is ``base`` for trainers that read traces, ``previous`` for the others.
        data: ``traces``, or a data block of its own; None is ``traces`` for trainers that read traces or pairs.
        rewards: weights, where they differ from the recipe's.
        min_rows: traces, pairs or prompts under which the run stops before the training; None is one batch.
        seed: of everything random in the training; None is the recipe's.
    """

    trainer: Spec
    start: ModelSpec | None = None
    data: (
        Annotated[
            Annotated[Literal["traces"], Tag(TRACES)] | Annotated[Data, Tag(BLOCK)],
            Discriminator(lambda value: TRACES if value == TRACES else BLOCK),
        ]
        | None
    ) = None
    rewards: Weights | None = None
    min_rows: int | None = Field(None, ge=1, strict=True)
    seed: int | None = Field(None, ge=0, lt=2**32, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_options(cls, keys: Any) -> Any:
        if not isinstance(keys, dict):
            return keys
        trainer = written_out("trainer", keys.get("trainer", keys.get("use")))
        options = [key for key in keys if key not in cls.model_fields]
        misspelt = any(get_close_matches(str(key), cls.model_fields) for key in options)
        if options and not misspelt and isinstance(trainer, dict):
            shown = {"use": trainer.get("use")} | {key: keys[key] for key in options}
            raise ValueError(f"write trainer: {{{', '.join(f'{key}: {value}' for key, value in shown.items())}}}")
        return keys


class Iteration(_Block):
    """One iteration of the loop; both halves are optional.

    Attributes:
        traces: how traces are made.
        train: phases by name, in order; a phase that is null is removed.
    """

    traces: Traces | None = None
    train: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9-]*$")], Phase] = {}

    @field_validator("train", mode="before")
    @classmethod
    def _without_null(cls, phases: Any) -> Any:
        if phases is None:
            return {}
        if not isinstance(phases, dict):
            return phases
        return {name: phase for name, phase in phases.items() if phase is not None}


class Recipe(_Block):
    """A whole loop.

    Attributes:
        name: names the run, unless the run is given a name of its own.
        summary: half a sentence for listings.
        requires: further packages it needs, by import name, with the command that installs each.
        base: the model training starts from.
        format: of the policy's prompts and responses.
        captioner: captions the images for teachers that cannot see them.
        facts: name, as filters need it, to fact; one that is missing here is that of a plugin.
        verifiers: reward name to verifier; a name that is missing here is that of the verifier.
        rewards: reward name to weight; reinforcement maximises the weighted sum; ``{weight, when}`` runs one on some
            claims only.
        routes: source name to the weights used for its examples.
        iterations: of the loop; with none, only the base is scored.
        bench: the benchmarks of every model.
        bench_tokens: maximum length of a response to a benchmark, in tokens.
        near_duplicates: True to drop training rows that repeat a question of a benchmark.
        seed: of everything random.
        reject_above: share of rejected rows at which a stage stops.
        strict: True to end with the first component that fails, instead of counting what it fails on.
        executor: where models run.
    """

    name: str
    summary: str = ""
    requires: dict[str, str] = {}
    base: ModelSpec
    format: Format = Format()
    captioner: Spec | None = None
    facts: dict[str, Spec] = {}
    verifiers: dict[str, Spec] = {}
    rewards: Weights = {}
    routes: dict[str, Weights] = {}
    iterations: list[Iteration] = []
    bench: Specs = []
    bench_tokens: int = Field(2048, ge=1, strict=True)
    near_duplicates: bool = Field(False, strict=True)
    seed: int = Field(0, ge=0, lt=2**32, strict=True)
    reject_above: float = Field(0.1, ge=0, le=1)
    strict: bool = Field(False, strict=True)
    executor: Annotated[ExecutorSpec, BeforeValidator(_executor)] = ExecutorSpec()

    _positions: SourcePositions | None = PrivateAttr(None)

    def record_positions(self, positions: SourcePositions) -> None:
        """Set the source positions of its keys."""
        self._positions = positions

    def position(self, key: str) -> str:
        """The source position of a key, for messages: ``recipe.yaml:12: iterations.0.traces.teacher``."""
        return f"{self._positions.of(tuple(split(key)))}: {key}" if self._positions else f"recipe {self.name}: {key}"

    def verifier_specs(self) -> dict[str, dict[str, Any]]:
        """The verifiers in the order they run: those under `verifiers`, then those that are only rewarded."""
        names = [*self.verifiers, *(name for name in self.rewards if name not in self.verifiers)]
        for route in self.routes.values():
            names += [name for name in route if name not in names]
        return {name: self.verifiers.get(name, {"use": name}) for name in names}
