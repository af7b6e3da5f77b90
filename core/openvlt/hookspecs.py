"""The hooks of openvlt.

A plugin is a module named by an entry point in the group ``openvlt``; it implements any of these functions, each
decorated with ``@openvlt.hookimpl``. A ``register_*`` hook is passed `register`:

    register(name, target, *, summary, requires=())

`target` is ``"package.module:Class"`` (nothing is imported until it is used), ``"package:file.yaml"`` for a component
that is data, or a class. `requires` names the optional top-level packages that the component needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import pluggy

if TYPE_CHECKING:
    from openvlt.records import Run, StageRecord

PLUGIN_API = 1
"""Version of these hooks and of `openvlt.interfaces`; a plugin written for another one is not loaded."""

hookspec = pluggy.HookspecMarker("openvlt")
hookimpl = pluggy.HookimplMarker("openvlt")


class Register(Protocol):
    """Registers one component; an invalid argument breaks the plugin."""

    def __call__(self, name: str, target: str | type, *, summary: str, requires: Sequence[str] = ()) -> None: ...


@hookspec
def register_sources(register: Register) -> None:
    """Register data sources: `openvlt.Source`."""


@hookspec
def register_captioners(register: Register) -> None:
    """Register captioners: `openvlt.Captioner`, `openvlt.ProgramCaptioner`."""


@hookspec
def register_teachers(register: Register) -> None:
    """Register reasoning teachers: `openvlt.Teacher`, `openvlt.ProgramTeacher`."""


@hookspec
def register_facts(register: Register) -> None:
    """Register facts: `openvlt.ProgramFact`, `openvlt.AskingFact` and `openvlt.SampledFact`."""


@hookspec
def register_filters(register: Register) -> None:
    """Register filters: `openvlt.TraceFilter` and `openvlt.ExampleFilter`."""


@hookspec
def register_verifiers(register: Register) -> None:
    """Register verifiers, for correctness and for shaping rewards: `openvlt.Verifier`, `openvlt.AnswerVerifier`."""


@hookspec
def register_benchmarks(register: Register) -> None:
    """Register benchmarks: `openvlt.Benchmark`, or YAML files."""


@hookspec
def register_backends(register: Register) -> None:
    """Register inference engines: `openvlt.Backend`."""


@hookspec
def register_trainers(register: Register) -> None:
    """Register trainers: `openvlt.Trainer`."""


@hookspec
def on_stage_start(run: Run, stage: StageRecord) -> None:
    """Called when a stage of a run begins, of which only kind, name and iteration are known; an exception is logged."""


@hookspec
def on_stage_end(run: Run, stage: StageRecord) -> None:
    """Called when a stage of a run has ended; an exception is logged and never fails the run."""


@hookspec
def on_run_end(run: Run) -> None:
    """Called when a run has ended, also by an error; an exception is logged and never fails the run."""
