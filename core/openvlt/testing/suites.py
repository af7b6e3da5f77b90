"""The suites: what every component of a kind must keep, whoever wrote it."""

from __future__ import annotations

import importlib.util
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any

from openvlt.errors import PASSING, OpenvltError, WrongResult
from openvlt.interfaces import (
    Backend,
    Benchmark,
    Captioner,
    Component,
    ExampleFilter,
    Fact,
    Kind,
    ProgramCaptioner,
    ProgramTeacher,
    Source,
    Teacher,
    TraceFilter,
    Trainer,
    Verifier,
    kind_of,
)
from openvlt.registry.guard import told
from openvlt.registry.options import as_json, options_of
from openvlt.testing import benchmarks, choices, data, engines, facts, trainers
from openvlt.testing.findings import Failed, Finding, Probe
from openvlt.testing.material import Material

SUITES: Mapping[Kind, Callable[[Probe[Any], Material], None]] = {
    "source": data.source,
    "captioner": data.captioner,
    "teacher": data.teacher,
    "fact": facts.fact,
    "filter": choices.filter,
    "verifier": choices.verifier,
    "benchmark": benchmarks.benchmark,
    "backend": engines.backend,
    "trainer": trainers.trainer,
}


def examine(component: Component, material: Material | None = None) -> list[Finding]:
    """Try a component on everything that its interface promises.

    Args:
        component: built with the options to try.
        material: what it is tried on.

    Returns:
        What is wrong; nothing if it passes.

    Raises:
        OpenvltError: the component says itself what it lacks here, such as a file or an endpoint.
    """
    kind = kind_of(type(component))
    if kind is None:
        return [Finding("options", f"{type(component).__name__} extends no interface of openvlt.", "Extend one.")]
    probe = Probe(component)
    if _check_options(probe):
        probe.call("code_modules", lambda: _check_modules(component.code_modules()))
        try:
            SUITES[kind](probe, material or Material())
        except (OpenvltError, *PASSING):
            raise
        except BaseException as error:  # noqa: BLE001 - calls are guarded; what else is read of it may be anything
            problem = f"Its class attributes cannot be used: {told(error)}."
            probe.wrong("claims", problem, "Let them be what the interface says.")
    return probe.findings


def _check_options(probe: Probe[Component]) -> bool:
    """Look at the fields; False if the component cannot be used at all."""
    kind = type(probe.component)
    if not is_dataclass(kind) or not kind.__dataclass_params__.frozen:
        probe.wrong("options", f"{kind.__name__} is no frozen dataclass.", "Put @dataclass(frozen=True) above it.")
        return False
    try:
        options = options_of(kind)
    except OpenvltError as error:
        probe.wrong("options", error.problem, error.remedy)
        return False
    if silent := [option.name for option in options if not option.text and "Format" not in option.type.split(" | ")]:
        named = ", ".join(silent)
        probe.wrong("options", f"`openvlt describe` says nothing of {named}.", "Write Annotated[..., Option('...')].")
    if (kind.__doc__ or "").startswith((f"{kind.__name__}(", " ")) or not inspect.cleandoc(kind.__doc__ or ""):
        probe.wrong("options", f"{kind.__name__} has no docstring.", "Say in a sentence what it does.")
    values = {option.name: as_json(getattr(probe.component, option.name)) for option in options}
    try:
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError):
        probe.wrong("identity", f"Its options are no JSON: {values!r:.100}.", "Use numbers, texts, lists, mappings.")
    return True


def _check_modules(names: Any) -> None:
    for name in names:
        if not isinstance(name, str) or importlib.util.find_spec(name) is None:
            raise WrongResult(f"it returned {name!r}, which is no module here")


def _check(component: Component, interface: type | tuple[type, ...], material: Material | None) -> None:
    if not isinstance(component, interface):
        names = " or ".join(each.__name__ for each in (interface if isinstance(interface, tuple) else (interface,)))
        raise Failed(type(component).__name__, [Finding("options", f"It is no {names}.", "Extend it.")])
    if findings := examine(component, material):
        raise Failed(type(component).__name__, findings)


def check_source(source: Source, material: Material | None = None) -> None:
    """Assert that a source keeps what `openvlt.Source` promises.

    Raises:
        Failed: it does not; the message has a line for each thing that is wrong. So do all checks of this module.
    """
    _check(source, Source, material)


def check_captioner(captioner: Captioner | ProgramCaptioner, material: Material | None = None) -> None:
    """Assert that a captioner keeps what `openvlt.Captioner` or `openvlt.ProgramCaptioner` promises."""
    _check(captioner, (Captioner, ProgramCaptioner), material)


def check_teacher(teacher: Teacher | ProgramTeacher, material: Material | None = None) -> None:
    """Assert that a teacher keeps what `openvlt.Teacher` or `openvlt.ProgramTeacher` promises."""
    _check(teacher, (Teacher, ProgramTeacher), material)


def check_fact(fact: Fact, material: Material | None = None) -> None:
    """Assert that a fact keeps what `openvlt.ProgramFact`, `AskingFact` or `SampledFact` promises."""
    _check(fact, Fact, material)


def check_filter(filter: TraceFilter | ExampleFilter, material: Material | None = None) -> None:
    """Assert that a filter keeps what `openvlt.TraceFilter` or `openvlt.ExampleFilter` promises."""
    _check(filter, (TraceFilter, ExampleFilter), material)


def check_verifier(verifier: Verifier, material: Material | None = None) -> None:
    """Assert that a verifier keeps what `openvlt.Verifier` promises."""
    _check(verifier, Verifier, material)


def check_benchmark(benchmark: Benchmark, material: Material | None = None) -> None:
    """Assert that a benchmark keeps what `openvlt.Benchmark` promises."""
    _check(benchmark, Benchmark, material)


def check_backend(backend: Backend, material: Material | None = None) -> None:
    """Assert that a backend keeps what `openvlt.Backend` promises, on ``material.model``."""
    _check(backend, Backend, material)


def check_trainer(trainer: Trainer, material: Material | None = None) -> None:
    """Assert that a trainer keeps what `openvlt.Trainer` promises; trains from ``material.model``."""
    _check(trainer, Trainer, material)
