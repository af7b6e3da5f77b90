"""Runs a recipe's verifiers over claims: order, memo, groups, workers and counts."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Protocol, Self

from openvlt.interfaces import AnswerVerifier, Verifier
from openvlt.records import Claim, Format, Verdict
from openvlt.verification.memo import Memo, memo_key

log = logging.getLogger(__name__)

BAD_GOLD_SHARE = 0.05
SYSTEM_SHARE = 0.01


class Built(Protocol):
    """What the registry builds of a verifier."""

    @property
    def component(self) -> Any: ...
    @property
    def entry(self) -> Any: ...
    @property
    def options(self) -> Any: ...
    @property
    def identity(self) -> str: ...


@dataclass
class Tally:
    """How many claims one verifier saw, and what it found.

    Attributes:
        claims: verdicts reached.
        statuses: verdicts by status.
        causes: verdicts by who caused them, where they are not plain scores.
    """

    claims: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        self.claims += 1
        self.statuses[verdict.status] += 1
        if verdict.cause:
            self.causes[verdict.cause] += 1

    @property
    def concerns(self) -> list[str]:
        """What a person must know: too many golds that cannot be read, too many failures of ours."""
        bad = self.statuses["bad_gold"]
        failed = self.causes["system"] - self.statuses["not_applicable"]
        found = []
        if bad > BAD_GOLD_SHARE * self.claims:
            found.append(f"{bad} of {self.claims} gold answers cannot be read; they reward nobody")
        if failed > SYSTEM_SHARE * self.claims:
            found.append(f"{failed} of {self.claims} claims failed for reasons of ours; they reward nobody")
        return found


class Judge:
    """Runs verifiers over claims. A context manager; leaving it ends its workers.

    Args:
        verifiers: by the name the recipe gives them, in recipe order; later ones see the verdicts of earlier ones.
        format: names the answer tag, for verifiers that look at the whole response.
        workers: processes for symbolic work and third-party verifiers; None lets the machine decide.

    Attributes:
        tallies: what each verifier has found so far.
    """

    def __init__(self, verifiers: Mapping[str, Built], *, format: Format, workers: int | None = None) -> None:
        self._verifiers = dict(verifiers)
        self._format = format
        self._workers = workers
        self._memo = Memo()
        self._warned: set[str] = set()
        self.tallies: dict[str, Tally] = {name: Tally() for name in self._verifiers}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""

    def verdicts(self, claims: Sequence[Claim]) -> list[dict[str, Verdict]]:
        """The verdict of every verifier on every claim, claims in order, verifiers in recipe order."""
        rows: list[dict[str, Verdict]] = [{} for _ in claims]
        for name, built in self._verifiers.items():
            seen = [replace(claim, verdicts={**claim.verdicts, **row}) for claim, row in zip(claims, rows, strict=True)]
            for row, verdict in zip(rows, self._judge(built, seen), strict=True):
                row[name] = verdict
                self.tallies[name].add(verdict)
            self._warn(name)
        return rows

    def _judge(self, built: Built, claims: Sequence[Claim]) -> list[Verdict]:
        verifier: Verifier = built.component
        if verifier.grouped:
            return _judge_groups(verifier, claims)
        if isinstance(verifier, AnswerVerifier):
            return [self._answer(built, verifier, claim) for claim in claims]
        return [_guarded(verifier, claim) for claim in claims]

    def _answer(self, built: Built, verifier: AnswerVerifier, claim: Claim) -> Verdict:
        key = memo_key(built.identity, claim, builtin=True)
        known = self._memo.get(key)
        if known is None:
            known = _guarded(verifier, claim)
            self._memo.put(key, known)
        return known

    def _warn(self, name: str) -> None:
        tally = self.tallies[name]
        if tally.claims >= 20 and name not in self._warned and tally.concerns:
            self._warned.add(name)
            for concern in tally.concerns:
                log.warning("verifier '%s': %s", name, concern)


def _judge_groups(verifier: Verifier, claims: Sequence[Claim]) -> list[Verdict]:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for index, claim in enumerate(claims):
        groups[claim.group].append(index)
    verdicts: dict[int, Verdict] = {}
    for members in groups.values():
        verdicts.update(zip(members, verifier.verify_group([claims[i] for i in members]), strict=True))
    return [verdicts[index] for index in range(len(claims))]


def _guarded(verifier: Verifier, claim: Claim) -> Verdict:
    try:
        return verifier.verify(claim)
    except Exception as error:  # noqa: BLE001 (the boundary to a component: an error of ours is a verdict, not a crash)
        return Verdict.error(f"{type(error).__name__}: {error}")
