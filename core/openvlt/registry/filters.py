"""Tells the two interfaces of filters apart, where a recipe takes only one of them."""

from __future__ import annotations

from typing import TypeVar

from openvlt.errors import UsageError
from openvlt.interfaces import ExampleFilter, TraceFilter
from openvlt.registry.entries import Built

F = TypeVar("F", TraceFilter, ExampleFilter)


def as_filter(interface: type[F], built: Built[TraceFilter | ExampleFilter], where: str) -> Built[F]:
    """The filter, for a place that takes one interface only.

    Raises:
        UsageError: it has the other one; the message begins with `where`, the source position of its spec.
    """
    if isinstance(built.component, interface):
        return Built(built.component, built.entry, built.options, built.identity)
    has = " and ".join(each.__name__ for each in (TraceFilter, ExampleFilter) if isinstance(built.component, each))
    raise UsageError(
        f"{where}: The filter '{built.entry.name}' implements {has}, and {interface.__name__} is needed here.",
        "Put filters of traces into select, filters of examples into the filters of a data block.",
    )
