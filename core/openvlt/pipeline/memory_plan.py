"""Whether a component fits the GPUs, and the smallest change of its options by which it would."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations, starmap
from typing import Any, Self

from openvlt import system
from openvlt.engines import image_limit, size_in_bytes
from openvlt.errors import UsageError, counted
from openvlt.interfaces import Backend, Gpus, Memory, Trainer, Workload
from openvlt.records import Model, ModelShape
from openvlt.registry.guard import answer
from openvlt.results import check_memory, check_number, check_planned_gpus

TEXT = 256
"""Tokens of a prompt without its image: instructions, question and choices (an estimate)."""
PIXELS = 1_000_000
"""Pixels of an image where the recipe sets no limit, if the model has no lower one (an estimate)."""


class DoesNotFit(UsageError):
    """The GPUs are too small.

    Attributes:
        who: needs more than they have.
    """

    who: str = ""

    @classmethod
    def of(cls, who: str, needed: str, gpus: Gpus, remedy: str = "") -> Self:
        """The error of a component or model with this need."""
        error = cls(
            f"{who} needs {needed}, and there {gpus.described}.",
            remedy or "Use more or larger GPUs, or a smaller model.",
        )
        error.who = who
        return error


@dataclass(frozen=True, slots=True)
class Need:
    """What a component needs.

    Attributes:
        component: a trainer or a backend.
        shape: of the model it trains or runs.
        work: lengths and GPUs.
        terms: bytes of each GPU.
    """

    component: Trainer | Backend
    shape: ModelShape
    work: Workload
    terms: Memory

    @property
    def total(self) -> float:
        return sum(self.terms.values())

    @property
    def fits(self) -> bool:
        """False if the GPUs are known and too small."""
        return not self.work.gpus.count or self.total <= self.work.gpus.size

    def smallest_change(self) -> Mapping[str, Any] | None:
        """The options by which it fits: the most intrusive of them is as little so as possible; None without any."""
        changing = [
            each
            for each in self.component.savings()
            if any(getattr(self.component, name) != value for name, value in each.items())
        ]
        for change in _changes(changing):
            try:
                component = replace(self.component, **change)  # type: ignore[type-var]  # every component is one
                found = need(component, self.shape, self.work)
            except UsageError:  # such as options that exclude each other
                continue
            if found and found.fits:
                return change
        return None

    def problem(self, who: str, settings: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> DoesNotFit:
        """What a user is told where it does not fit; `settings` are the keys of a recipe that change its options so."""
        largest = sorted(self.terms.items(), key=lambda term: -term[1])[:4]
        listed = ", ".join(f"{name} {gigabytes(size)}" for name, size in largest if size >= 5e7)
        change = self.smallest_change()
        remedy = f"It would fit with {' '.join(starmap(setting, settings(change).items()))}" if change else ""
        return DoesNotFit.of(who, f"{gigabytes(self.total)} GB of each GPU ({listed})", self.work.gpus, remedy)


def setting(key: str, value: Any) -> str:
    """A key of a recipe and its value as a shell takes them: ``--set 'base.backend={use: hf, batch: 8}'``."""
    import yaml

    end = "\n..."  # of a document that is a scalar
    written = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=float("inf"))
    written = written.strip().removesuffix(end)
    with suppress(yaml.YAMLError):  # a shell need not escape double quotes
        if yaml.safe_load(doubled := written.replace("'", '"')) == value:
            written = doubled
    return f"--set {shlex.quote(f'{key}={written}')}"


def gpus_here() -> Gpus:
    """The GPUs of this machine; of different ones the size of the smallest."""
    return Gpus(len(system.visible_gpus()), system.gpu_bytes())


def need(component: Trainer | Backend, shape: ModelShape | None, work: Workload) -> Need | None:
    """What a component needs; None if it does not tell, or nothing is known of the model.

    Raises:
        UsageError: it cannot work with these GPUs.
    """
    if isinstance(component, Trainer):
        served = answer(component, "server_devices", check_number)
        used = answer(component, "planned_gpus", check_planned_gpus, work.gpus)[1] + served
        if 0 < work.gpus.count < used:
            users = "it or its server" if served else "it"
            raise UsageError(
                f"The training uses {counted(used, 'GPU')} of a machine, and there {work.gpus.described}.",
                f"Let {users} use fewer (the trainer's option devices or gpus). What CUDA_VISIBLE_DEVICES hides does "
                "not count.",
            )
    if shape is None:
        return None
    method = "memory" if isinstance(component, Trainer) else "gpu_memory"
    terms = answer(component, method, check_memory, shape, work)
    return Need(component, shape, work, terms) if terms else None


def workload(model: Model, shape: ModelShape | None, reply: int, gpus: Gpus) -> Workload:
    """What a model works on: a prompt of `TEXT` tokens with one image of the most pixels, and a reply.

    Args:
        model: as it is located.
        shape: of the model.
        reply: tokens of the longest reply.
        gpus: to work with.
    """
    pixels = model.pixels[1] if model.pixels else min(PIXELS, image_limit(model) or PIXELS)
    image = shape.image_tokens(pixels) if shape else 0
    size = size_in_bytes(model) if model.dtype == "auto" else None
    wide = model.dtype == "float32" or (size is not None and shape is not None and size > 3 * shape.parameters)
    return Workload(prompt=TEXT + image, reply=reply, image=image, width=4 if wide else 2, gpus=gpus)


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f}"


def _changes(savings: Any) -> Iterator[dict[str, Any]]:
    """Sets of changes: first those whose most intrusive change is least so, of these the smallest."""
    for most in range(len(savings)):
        for others in range(most + 1):
            for below in combinations(savings[:most], others):
                yield {name: value for change in (*below, savings[most]) for name, value in change.items()}
