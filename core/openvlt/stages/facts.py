"""Facts about examples: found when a filter first needs them, many at once, each kept so that it is found once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from openvlt.errors import Reject, RemoteError
from openvlt.interfaces import AskingFact, Fact, Facts, FactValue, ProgramFact, SampledFact, Verifier
from openvlt.records import Example, Judged, Model, Rejected, Row, Trace
from openvlt.registry import Built
from openvlt.results import check_fact, check_loaded
from openvlt.stages.accepting import rejected, rejecting
from openvlt.stages.asker import Asker
from openvlt.stages.distill import chains
from openvlt.stages.filling import Filling, Work
from openvlt.stages.make import Make
from openvlt.stages.progress import Progress, Quiet
from openvlt.stages.verify import Verifying
from openvlt.stages.workspace import Workspace
from openvlt.store import ValueStore, digest
from openvlt.verification import UNWEIGHTED, Weights


@dataclass(frozen=True, slots=True)
class Needed:
    """A fact that filters need.

    Attributes:
        fact: the component.
        teacher: of a `SampledFact`, which asks `models`.
        models: that are asked, by the option that names each.
        verifiers: judge what is sampled, weighted by `weights`.
    """

    fact: Built[Any]
    teacher: Built[Any] | None = None
    models: Mapping[str, Model] = field(default_factory=dict)
    verifiers: Mapping[str, Built[Verifier]] = field(default_factory=dict)
    weights: Weights = UNWEIGHTED


class FactFinder:
    """Finds facts about examples, and keeps what each way to find one has opened until it is closed.

    Args:
        workspace: of the run.
        needed: the facts, by the names that filters use.
        given: facts that are known already.

    Attributes:
        facts: what is known so far.
        folders: names of the folders of the values that were kept.
        faults: examples of which a fact is not known, as something failed, by what did.
    """

    def __init__(self, workspace: Workspace, needed: Mapping[str, Needed], given: Facts) -> None:
        self._stack = ExitStack()
        self._workspace, self.faults = workspace, Counter[str]()
        workspace = replace(workspace, progress=_Notes(workspace.progress))
        self._ways = {name: _way(workspace, each, self._stack) for name, each in needed.items()}
        self._needed = needed
        self._found: dict[str, dict[str, FactValue]] = {name: {} for name in needed}
        self.facts: Facts = {**given, **self._found}
        self.identity = ({name: way.identity for name, way in self._ways.items()}, given)
        self.folders = [folder for way in self._ways.values() for folder in way.folders]

    def find(self, names: Iterable[str], examples: Sequence[Example]) -> None:
        """Add facts about examples to what is known.

        Raises:
            OpenvltError: a fact failed, or its model cannot be asked.
            DataError: it failed on some examples before, and the recipe is strict.
            RemoteError: some requests failed for now.
        """
        for name in names:
            values = self._ways[name].values(examples)
            lost = Counter(each.reason for each in values if isinstance(each, Rejected) and each.transient)
            if lost:
                reasons = "; ".join(f"{count} x {reason}" for reason, count in lost.most_common(3))
                raise RemoteError(
                    f"The fact {name} is not known of {lost.total()} of {len(examples)} examples for now ({reasons}).",
                    "Run the same command again: it keeps what is done and retries only those.",
                )
            failed = Counter(each.reason for each in values if isinstance(each, Rejected) and each.fault)
            self._workspace.reused(name, {reason: failed[reason] for reason in failed if reason not in self.faults})
            self.faults += failed
            for example, value in zip(examples, values, strict=True):
                if value is not None and not isinstance(value, Rejected):
                    self._found[name][example.id] = value

    def counts(self) -> dict[str, float]:
        """How many examples have a value, by fact."""
        return {f"with {name}": len(values) for name, values in self._found.items()}

    def close(self) -> None:
        """Free the models and programs, and close the files."""
        self._stack.close()


def _is_value(said: object) -> bool:
    return said is None or isinstance(said, bool | int | float | str)


class _Notes(Quiet):
    """Shows the notes of what is done within a stage, and no progress."""

    def __init__(self, shown: Progress) -> None:
        self.note = shown.note  # type: ignore[method-assign]


class _Way(Protocol):
    """How a fact is found."""

    identity: str
    folders: list[str]

    def values(self, examples: Sequence[Example]) -> Sequence[FactValue | Rejected | None]: ...


def _way(workspace: Workspace, needed: Needed, stack: ExitStack) -> _Way:
    component: Fact = needed.fact.component
    if isinstance(component, SampledFact):
        return _Sampled(workspace, needed, stack)
    if isinstance(component, AskingFact):
        return _Asked(workspace, needed.fact, stack)
    return _Made(workspace, needed.fact, stack)


class _Made:
    """A program computes it."""

    def __init__(self, workspace: Workspace, fact: Built[ProgramFact], stack: ExitStack) -> None:
        work = Make(
            workspace, fact, "fact", FactValue | None,
            subject=lambda row: row.example, make=lambda tell, row, sample: check_fact(tell(row.example)),
        )  # fmt: skip
        self._filled = _Filled(workspace, work, stack)
        self.identity, self.folders = work.identity, [work.identity]

    def values(self, examples: Sequence[Example]) -> Sequence[FactValue | Rejected | None]:
        return [value for (value,) in self._filled.of([Row(example=example) for example in examples])]


class _Asked:
    """A model is asked about each example."""

    def __init__(self, workspace: Workspace, fact: Built[AskingFact], stack: ExitStack) -> None:
        self._fact, self._asker = fact, Asker(workspace)
        stack.callback(self._asker.close)
        self.folders = self._asker.identities([fact])
        self.identity = digest(fact.identity, self.folders)

    def values(self, examples: Sequence[Example]) -> Sequence[FactValue | Rejected | None]:
        ids = lambda example: example.id  # noqa: E731
        return self._asker.decisions(self._fact, examples, ids, _is_value, check_fact, rejected)


class _Sampled:
    """A teacher samples chains, which the verifiers judge."""

    def __init__(self, workspace: Workspace, needed: Needed, stack: ExitStack) -> None:
        assert needed.teacher is not None
        self._workspace = workspace
        self._fact: Built[SampledFact] = needed.fact
        models = {name: workspace.resolve(model) for name, model in needed.models.items()}
        teaching = chains(workspace, needed.teacher, models)
        judging = Verifying(workspace, needed.verifiers, needed.weights)
        self._teaching, self._judging = _Filled(workspace, teaching, stack), _Filled(workspace, judging, stack)
        samples = needed.teacher.component.samples
        self.folders = [teaching.identity, judging.identity, *judging.replies]
        self.identity = digest(self._fact.identity, teaching.identity, samples, judging.identity)

    def values(self, examples: Sequence[Example]) -> Sequence[FactValue | Rejected | None]:
        shown = [self._shown(example) for example in examples]
        rows = [row for row in shown if isinstance(row, Row)]
        sampled = self._teaching.of(rows)
        rows = [
            replace(row, traces=tuple(each for each in found if isinstance(each, Trace)))
            for row, found in zip(rows, sampled, strict=True)
        ]
        found = zip(rows, sampled, self._judging.of(rows), strict=True)
        return [row if isinstance(row, Rejected) else self._rated(*next(found)) for row in shown]

    def _shown(self, example: Example) -> Row | Rejected:
        try:
            with rejecting(self._workspace, self._fact, "shown", example.id):
                return Row(example=check_loaded(self._fact.component.shown(example)))
        except Reject as reject:
            return rejected(example.id, reject)

    def _rated(self, row: Row, sampled: Sequence[Any], judged: Sequence[Any]) -> FactValue | Rejected | None:
        for each in (*sampled, *judged):
            if isinstance(each, Rejected) and each.transient:
                return each
        found = [Judged(trace=trace, verdicts=each) for trace, each in zip(row.traces, judged, strict=True)]
        try:
            with rejecting(self._workspace, self._fact, "rate", row.example.id):
                return check_fact(self._fact.component.rate(row.example, found))
        except Reject as reject:
            return rejected(row.example.id, reject)


class _Filled:
    """Fills the values of rows more than once; what the work opens is freed with the stack."""

    def __init__(self, workspace: Workspace, work: Work, stack: ExitStack) -> None:
        self._workspace, self._work, self._stack = workspace, work, stack
        self._store: ValueStore | None = None

    def of(self, rows: Sequence[Row]) -> list[list[Any]]:
        if self._store is None:
            self._store = self._stack.enter_context(ValueStore(self._workspace.home.values / self._work.identity))
            self._stack.callback(self._work.close)
        return Filling(self._workspace, self._work, self._store, keeps_open=True).of(rows)
