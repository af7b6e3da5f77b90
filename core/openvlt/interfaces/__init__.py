"""What a plugin author implements: one small class per kind, a frozen dataclass whose fields are its options.

The core does the rest: batching, samples, retries, caching, resume, counting. None of these classes opens files (but
its data a source or a captioner), starts threads, retries or caches. Any method may raise `openvlt.Reject` to reject
one row. A component is built once per process, may be called from many threads and keeps no state.
"""

from __future__ import annotations

from collections.abc import Mapping

from openvlt.interfaces.asking import Asking
from openvlt.interfaces.benchmark import Benchmark
from openvlt.interfaces.component import KINDS, Component, Kind, Option
from openvlt.interfaces.data import Captioner, Chat, ProgramCaptioner, ProgramTeacher, Source, Teacher
from openvlt.interfaces.engine import Backend, CountingEngine, DefaultFor, Engine, ImageReader, Request
from openvlt.interfaces.facts import AskingFact, Fact, Facts, FactValue, ProgramFact, SampledFact
from openvlt.interfaces.filters import (
    AskingExampleFilter,
    AskingTraceFilter,
    Drop,
    ExampleFilter,
    Keep,
    LookingExampleFilter,
    LookingTraceFilter,
    TraceFilter,
)
from openvlt.interfaces.memory import Gpus, Memory, Workload
from openvlt.interfaces.option_types import MaxTokens, Samples, Seed, Temperature, TopP
from openvlt.interfaces.program import Program
from openvlt.interfaces.speed import EAGER_SHARE, PAGED_SHARE, gpu_hours, writing_hours
from openvlt.interfaces.training import Checkpoint, Reads, Rewarded, Trainer, TrainJob
from openvlt.interfaces.verifiers import AnswerVerifier, AskingVerifier, LookingVerifier, Verifier

INTERFACES: Mapping[Kind, tuple[type[Component], ...]] = {
    "source": (Source,),
    "captioner": (Captioner, ProgramCaptioner),
    "teacher": (Teacher, ProgramTeacher),
    "fact": (ProgramFact, AskingFact, SampledFact),
    "filter": (TraceFilter, ExampleFilter),
    "verifier": (Verifier,),
    "benchmark": (Benchmark,),
    "backend": (Backend,),
    "trainer": (Trainer,),
}
"""The base classes of each kind."""


def kind_of(interface: type) -> Kind | None:
    """The kind of component a class is; None if it is none."""
    return next((kind for kind, interfaces in INTERFACES.items() if issubclass(interface, interfaces)), None)


__all__ = [
    "EAGER_SHARE",
    "INTERFACES",
    "KINDS",
    "PAGED_SHARE",
    "AnswerVerifier",
    "Asking",
    "AskingExampleFilter",
    "AskingFact",
    "AskingTraceFilter",
    "AskingVerifier",
    "Backend",
    "Benchmark",
    "Captioner",
    "Chat",
    "Checkpoint",
    "Component",
    "CountingEngine",
    "DefaultFor",
    "Drop",
    "Engine",
    "ExampleFilter",
    "Fact",
    "FactValue",
    "Facts",
    "Gpus",
    "ImageReader",
    "Keep",
    "Kind",
    "LookingExampleFilter",
    "LookingTraceFilter",
    "LookingVerifier",
    "MaxTokens",
    "Memory",
    "Option",
    "Program",
    "ProgramCaptioner",
    "ProgramFact",
    "ProgramTeacher",
    "Reads",
    "Request",
    "Rewarded",
    "SampledFact",
    "Samples",
    "Seed",
    "Source",
    "Teacher",
    "Temperature",
    "TopP",
    "TraceFilter",
    "TrainJob",
    "Trainer",
    "Verifier",
    "Workload",
    "gpu_hours",
    "kind_of",
    "writing_hours",
]
