"""Tells the two kinds of filters apart, where a recipe takes only one of them."""

from __future__ import annotations

from openvlt.errors import UsageError
from openvlt.interfaces import ExampleFilter, TraceFilter
from openvlt.registry.entries import Built


def trace_filter(built: Built[TraceFilter | ExampleFilter], where: str) -> Built[TraceFilter]:
    """The filter, for a place that takes filters of traces (``select``).

    Raises:
        UsageError: it filters examples; the message begins with `where`, the source position of its spec.
    """
    if isinstance(built.component, TraceFilter):
        return Built(built.component, built.entry, built.options, built.identity)
    raise UsageError(
        f"{where}: The filter '{built.entry.name}' chooses examples, and a filter of traces is needed here.",
        "Move it to the filters of a data block.",
    )


def example_filter(built: Built[TraceFilter | ExampleFilter], where: str) -> Built[ExampleFilter]:
    """The filter, for a place that takes filters of examples (``filters`` of a data block).

    Raises:
        UsageError: it filters traces; the message begins with `where`, the source position of its spec.
    """
    if isinstance(built.component, ExampleFilter):
        return Built(built.component, built.entry, built.options, built.identity)
    raise UsageError(
        f"{where}: The filter '{built.entry.name}' chooses traces, and a filter of examples is needed here.",
        "Move it to select.",
    )
