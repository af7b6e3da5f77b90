"""What a plan says in the end: which stages cannot be carried out and why, or that all fit."""

from __future__ import annotations

from collections.abc import Mapping

from openvlt.interfaces import Gpus
from openvlt.pipeline.memory_plan import DoesNotFit, gigabytes
from openvlt.pipeline.stage import Description

_NAMED = 4
"""Most stages that a message names; the others are counted."""


def refusals(described: Mapping[str, Description]) -> list[str]:
    """Why stages cannot be carried out: what is told of several of them, or mended by the same change, once.

    Args:
        described: the stages of a plan, by name.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name, stage in described.items():
        if problem := stage.problem:
            about = problem.who if isinstance(problem, DoesNotFit) else problem.problem
            groups.setdefault((about, problem.remedy), []).append(name)
    return [_refusal({name: described[name] for name in names}) for names in groups.values()]


def notes(described: Mapping[str, Description]) -> list[str]:
    """What stages say of memory, each sentence once.

    Args:
        described: the stages of a plan, by name.
    """
    groups: dict[str, list[str]] = {}
    for name, stage in described.items():
        if stage.note:
            groups.setdefault(stage.note, []).append(name)
    return [f"{_listed(names)}: {note}" for note, names in groups.items()]


def _refusal(stages: Mapping[str, Description]) -> str:
    """Of stages with the same problem, that of the one that needs most."""
    problem = max(stages.values(), key=lambda each: each.memory or 0).problem
    begun, told = "does not fit" if isinstance(problem, DoesNotFit) else "cannot be carried out", str(problem)
    if len({each.memory for each in stages.values()}) > 1:
        told = told.replace(" needs ", " needs up to ", 1)
    return f"This plan {begun}: {_listed(list(stages))}: {told}"


def _listed(names: list[str]) -> str:
    if len(names) == 1:
        return f"Stage {names[0]}"
    if len(names) > _NAMED:
        names = [*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} more"]
    return f"Stages {', '.join(names[:-1])} and {names[-1]}"


def fitting(described: Mapping[str, Description], gpus: Gpus) -> str:
    """That all stages fit, and how closely; empty where that is not certain.

    Args:
        described: the stages of a plan, by name.
        gpus: that they are planned for.
    """
    known = {name: max(each.memory, sum(each.server_terms.values())) for name, each in described.items() if each.memory}
    most = max(known, key=lambda name: known[name], default="")
    if any(each.problem for each in described.values()) or not most or known[most] > gpus.size:
        return ""
    unknown = [name for name, each in described.items() if each.model and each.memory is None]
    left = f" Not counted: {_listed(unknown)}." if unknown else ""
    return f"It fits: at most {gigabytes(known[most])} of {gigabytes(gpus.size)} GB, in {most}.{left}"
