"""All that a plugin implements, is handed or hands back is a name of `openvlt`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from inspect import isclass, isfunction
from typing import Any, get_args, get_type_hints

import openvlt
from openvlt import hookspecs
from openvlt.interfaces import INTERFACES
from openvlt.records import Run, StageRecord

EVENTS = {"Run": Run, "StageRecord": StageRecord}


def handed(annotation: Any) -> Iterator[type]:
    """The classes of openvlt in an annotation."""
    if isclass(annotation) and annotation.__module__.startswith("openvlt"):
        yield annotation
    for part in get_args(annotation) if not isinstance(annotation, list) else annotation:
        yield from handed(part)


def annotations(found: type) -> Iterator[Any]:
    names = {**EVENTS, "Picture": object}
    if is_dataclass(found) or found.__annotations__:
        yield from get_type_hints(found, localns=names, include_extras=True).values()
    for method in vars(found).values():
        function = method.fget if isinstance(method, property) else getattr(method, "__func__", method)
        if isfunction(function) and not function.__name__.startswith("_"):
            yield from get_type_hints(function, localns=names, include_extras=True).values()


def test_every_class_that_a_plugin_meets_is_public() -> None:
    waiting = [each for interfaces in INTERFACES.values() for each in interfaces]
    waiting += [openvlt.AnswerVerifier, openvlt.AskingVerifier, openvlt.AskingExampleFilter, openvlt.AskingTraceFilter]
    for hook in vars(hookspecs).values():
        if hasattr(hook, "openvlt_spec"):
            hints = get_type_hints(hook, localns=EVENTS)
            waiting += [each for hint in hints.values() for each in handed(hint)]
    met: set[type] = set()
    while waiting:
        met.add(found := waiting.pop())
        near = [*found.__bases__, *(each for hint in annotations(found) for each in handed(hint))]
        waiting += [each for each in near if each.__module__.startswith("openvlt") and each not in met]
    assert {each.__name__ for each in met} - set(openvlt.__all__) == set()
    assert all(getattr(openvlt, each.__name__) is each for each in met)
