"""Benchmarks as data: a YAML file defines where the questions are, how they are asked and how they are scored."""

from __future__ import annotations

from openvlt import Register, hookimpl


@hookimpl
def register_benchmarks(register: Register) -> None:
    register(
        "qa",
        "openvlt_plugins.qa.benchmark:Qa",
        summary="questions with images, from a YAML file: data, prompts, scorings, breakdowns",
    )


@hookimpl
def register_sources(register: Register) -> None:
    register(
        "table",
        "openvlt_plugins.qa.table:Table",
        summary="rows of a hub dataset or a local file, by column name",
    )
