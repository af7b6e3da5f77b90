"""Verify: each trace gets the verdicts of the recipe's verifiers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import Any

from openvlt.errors import DataError, Fault
from openvlt.interfaces import Verifier
from openvlt.records import Claim, Judged, Rejected, Row, Verdict
from openvlt.registry import Built
from openvlt.stages.asker import Asker
from openvlt.stages.filling import Task, Value
from openvlt.stages.map import map_stage
from openvlt.stages.workspace import Output, Step, Workspace
from openvlt.store import digest
from openvlt.verification import UNWEIGHTED, VerifierRunner, Weights
from openvlt.verification.checking import FAULT

FEW = 0.02
"""Share of correct traces below which a teacher teaches next to nothing."""


@dataclass
class Verifying:
    """The work of verifying traces; the value of a trace is its verdicts by verifier name.

    Attributes:
        failures: traces on which a verifier failed, by what failed, how and where.
    """

    workspace: Workspace
    verifiers: Mapping[str, Built[Verifier]]
    weights: Weights
    value_type: Any = dict[str, Verdict]
    chunk: int = 256
    parallel: int = 1
    _runner: VerifierRunner | None = None
    failures: Counter[str] = field(default_factory=Counter)
    _counts: Counter[str] = field(default_factory=Counter)

    @cached_property
    def _asker(self) -> Asker:
        return Asker(self.workspace)

    @cached_property
    def identity(self) -> str:
        identities = [(name, built.identity) for name, built in self.verifiers.items()]
        conditions = self.weights.conditions
        chosen = self.replies or any(when for _, block in conditions for _, when in block)
        return digest("judge", identities, self.workspace.format, *([self.replies, conditions] if chosen else []))

    @cached_property
    def replies(self) -> list[str]:
        return self._asker.identities(self.verifiers.values())

    def keys(self, row: Row) -> list[str]:
        base = digest(self.identity, row.example)
        return [digest(base, trace) for trace in row.traces]

    def compute(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        if self._runner is None:
            space = self.workspace
            self._runner = VerifierRunner(
                self.verifiers, format=space.format, ask=self._asker.ask, strict=space.strict, images=space.home.images
            )
        claims = [
            Claim(trace=task.row.traces[index], example=task.row.example, group=task.row.example.id)
            for task in tasks
            for index in task.wanted
        ]
        verdicts = self._runner.verdicts(claims, self.weights)
        for claim, found in zip(claims, verdicts, strict=True):
            for verdict in found.values():
                if verdict.tier == FAULT:
                    self.workspace.survived(Fault.of(verdict.reason, claim.example.id))
        values: list[list[Value | Rejected]] = []
        for task in tasks:
            values.append([_kept(found) for found in verdicts[: len(task.wanted)]])
            verdicts = verdicts[len(task.wanted) :]
        return values

    def counts(self) -> dict[str, float]:
        return {**self._counts, **self._asker.counts()}

    def close(self) -> None:
        self._asker.close()
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def finish(self, row: Row, values: list[Value | Rejected]) -> Row:
        """Attach the verdicts to their traces, and count them, cached ones included."""
        judged = tuple(
            Judged(trace=trace, verdicts=verdicts)
            for trace, verdicts in zip(row.traces, values, strict=True)
            if not isinstance(verdicts, Rejected)
        )
        self._counts["claims"] += len(judged)
        self._counts["correct"] += sum(each.is_correct for each in judged)
        self._counts["unparsed"] += sum(each.is_unparsed for each in judged)
        for each in judged:
            self.failures.update({v.reason for v in each.verdicts.values() if v.tier == FAULT})
        return Row(example=row.example, caption=row.caption, judged=judged)


def _kept(verdicts: dict[str, Verdict]) -> Value | Rejected:
    """What is stored; nothing where the machine failed a verifier, so that the next run tries it again."""
    for name, verdict in verdicts.items():
        if verdict.cause == "machine":
            return Rejected(id="", reason=f"{name}: {verdict.reason}", transient=True)
    return verdicts


def verify(
    workspace: Workspace,
    name: str,
    iteration: int,
    inputs: Output,
    verifiers: Mapping[str, Built[Verifier]],
    weights: Weights = UNWEIGHTED,
) -> Output:
    """Verify all traces of all rows; `weights` may say that a verifier runs on some of them only.

    Raises:
        DataError: a verifier failed on more traces than the recipe allows; they have no score.
    """
    work = Verifying(workspace, verifiers, weights)
    step = Step("verify", name, iteration, (work.identity, inputs.digest))
    made = map_stage(workspace, step, inputs, work, work.finish, inputs.record.out, faults=work.failures)
    claims, correct = made.record.counts.get("claims", 0), made.record.counts.get("correct", 0)
    failures = Counter(made.record.faults)
    if (failed := failures.total()) > workspace.reject_above * claims:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in failures.most_common(3))
        raise DataError(
            f"Stage {name}: verifiers failed on {failed} of {claims:.0f} traces, over the limit of "
            f"{workspace.reject_above:.0%} ({reasons}).",
            f"Fix them, or accept traces without a score (--set reject_above={ceil(100 * failed / claims) / 100:g}).",
        )
    if verifiers and correct < FEW * claims:
        workspace.progress.note(f"Warning: {name}: {correct:.0f} of {claims:.0f} traces are correct, almost none.")
    return made
