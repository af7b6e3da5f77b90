"""What a recipe may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from openvlt.recipe.positions import SourcePositions, split
from openvlt.records import Format, Model


def _spec(value: Any) -> Any:
    if isinstance(value, str):
        return {"use": value}
    if isinstance(value, dict) and not isinstance(value.get("use"), str):
        raise ValueError("a component is a name, or a mapping with the key 'use'")
    return value


def _model(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


def _list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Spec = Annotated[dict[str, Any], BeforeValidator(_spec)]
"""A component: its name, or ``{use: name, option: value}``."""


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _executor(value: Any) -> Any:
    return {"use": value} if isinstance(value, str) else value


class ExecutorSpec(_Block):
    """Where models work; it changes no output.

    Attributes:
        use: ``local``, in the process of the run, or ``ray``, as actors of a Ray cluster.
        engines: engines of each model, each in an actor of its own; None takes as many as the cluster has room for.
        cpus: CPUs of the cluster each takes.
        gpus: GPUs each takes; None takes one where the cluster has any.
        address: of the cluster; None takes the one Ray finds (``RAY_ADDRESS``), else starts one of this machine.
    """

    use: Literal["local", "ray"] = "local"
    engines: Annotated[int, Field(ge=1)] | None = None
    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Annotated[float, Field(ge=0)] | None = None
    address: str | None = None


class Data(_Block):
    """The examples a step works on.

    Attributes:
        source: the source component.
        split: which of its splits.
        limit: take at most so many, after filtering.
        filters: example filters, in order.
    """

    source: Spec
    split: str = "train"
    limit: int | None = Field(None, ge=1)
    filters: list[Spec] = []


class Reinforce(_Block):
    """One reinforcement run: its own data, its trainer, and its rewards where they differ from the recipe's."""

    data: Data
    trainer: Spec
    rewards: dict[str, float] | None = None


class Iteration(_Block):
    """One turn of the loop.

    Attributes:
        data: the examples traces are made for.
        teacher: who writes the traces; ``policy`` is the model the iteration before led to.
        select: trace filters, in order.
        sft: the trainer that starts from the base model.
        grpo: reinforcement runs, one after the other.
    """

    data: Data
    teacher: Spec
    select: list[Spec] = []
    sft: Spec | None = None
    grpo: Annotated[list[Reinforce], BeforeValidator(_list)] = []


class Recipe(_Block):
    """A whole loop.

    Attributes:
        name: names the run, unless the run is given a name of its own.
        summary: half a sentence for listings.
        requires: packages it needs beyond openvlt's own, by import name, with the command that adds each.
        base: the model every SFT starts from.
        format: how the policy is asked and answers.
        captioner: captions the images for teachers that cannot see them.
        verifiers: reward name to verifier; names that are missing here are the verifiers of that name.
        rewards: reward name to weight; the weighted sum is what GRPO maximises.
        routes: source name to the weights used for its examples.
        iterations: the turns of the loop.
        bench: the benchmarks of every model.
        bench_tokens: longest answer to a benchmark, in tokens.
        seed: of everything random.
        reject_above: share of rejected rows at which a stage stops.
        executor: where models work.
    """

    name: str
    summary: str = ""
    requires: dict[str, str] = {}
    base: Annotated[Model, BeforeValidator(_model)]
    format: Format = Format()
    captioner: Spec = {"use": "qwen-vl"}
    verifiers: dict[str, Spec] = {}
    rewards: dict[str, float] = {"answer": 1.0}
    routes: dict[str, dict[str, float]] = {}
    iterations: Annotated[list[Iteration], Field(min_length=1)]
    bench: Annotated[list[Spec], BeforeValidator(_list)] = []
    bench_tokens: int = Field(2048, ge=1)
    seed: int = 0
    reject_above: float = Field(0.1, ge=0, le=1)
    executor: Annotated[ExecutorSpec, BeforeValidator(_executor)] = ExecutorSpec()

    _places: SourcePositions | None = PrivateAttr(None)

    def placed(self, places: SourcePositions) -> None:
        """Remember where its keys stand."""
        self._places = places

    def place(self, key: str) -> str:
        """Where a key stands, for messages: ``recipe.yaml:12: iterations.0.teacher``."""
        return f"{self._places.of(tuple(split(key)))}: {key}" if self._places else f"recipe {self.name}: {key}"

    def verifier_specs(self) -> dict[str, dict[str, Any]]:
        """The verifiers in the order they are asked: those named, then those only rewarded."""
        names = [*self.verifiers, *(name for name in self.rewards if name not in self.verifiers)]
        for route in self.routes.values():
            names += [name for name in route if name not in names]
        return {name: self.verifiers.get(name, {"use": name}) for name in names}
