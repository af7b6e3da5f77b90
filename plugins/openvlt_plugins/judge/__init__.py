"""A model as judge, by a rubric of the recipe."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_verifiers(register: Register) -> None:
    register("judge", "openvlt_plugins.judge.judge:Judge", summary="asks a model whether a response meets a rubric")


@hookimpl
def register_filters(register: Register) -> None:
    register("judge", "openvlt_plugins.judge.judge:JudgeTraces", summary="drops the traces that a model refuses")
