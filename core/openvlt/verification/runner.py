"""Runs a recipe's verifiers over claims: their order, the memo, groups, workers and counts."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from openvlt.extraction import gold_in
from openvlt.interfaces import AnswerVerifier, Verifier
from openvlt.records import Claim, Format, Verdict
from openvlt.registry import Built
from openvlt.verification.checking import failed
from openvlt.verification.isolation import Isolation, run_inline
from openvlt.verification.memo import Memo, memo_key

log = logging.getLogger(__name__)

BAD_GOLD_SHARE = 0.05
SYSTEM_SHARE = 0.01


@dataclass
class Tally:
    """What one verifier has found so far.

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
        """What a user must know: too many claims without a score, by who caused it."""
        bad, skipped = self.statuses["bad_gold"], self.statuses["skipped"]
        failed = self.causes["system"] - self.statuses["not_applicable"]
        lost = self.causes["machine"] - skipped
        found = []
        if bad > BAD_GOLD_SHARE * self.claims:
            found.append(f"{bad} of {self.claims} gold answers cannot be read; their claims are not scored")
        if failed > SYSTEM_SHARE * self.claims:
            found.append(f"{failed} of {self.claims} claims are not scored because of internal errors")
        if lost > SYSTEM_SHARE * self.claims:
            found.append(f"{lost} of {self.claims} claims are not scored because the machine failed their workers")
        if skipped > SYSTEM_SHARE * self.claims:
            found.append(f"{skipped} of {self.claims} claims are not scored because their step ran out of time")
        return found


class VerifierRunner:
    """Runs verifiers over claims. A context manager; leaving it ends its workers.

    Args:
        verifiers: by the name the recipe gives them, in recipe order; later ones see the verdicts of earlier ones.
        format: names the answer tag, for verifiers that read the whole response.
        workers: processes for verifiers that do not run inline; None for this process's share of the CPUs.
        budget: seconds for what one verifier does in workers in one call, for a training step that cannot wait; what is
            not reached has no score. None for no limit.

    Attributes:
        tallies: what each verifier has found, by name.
    """

    def __init__(
        self,
        verifiers: Mapping[str, Built[Verifier]],
        *,
        format: Format,
        workers: int | None = None,
        budget: float | None = None,
    ) -> None:
        self._verifiers = dict(verifiers)
        self._format = format
        self._memo = Memo()
        self._isolation = Isolation(self._verifiers.values(), format, workers, budget)
        self._warned: set[str] = set()
        self.tallies: dict[str, Tally] = {name: Tally() for name in self._verifiers}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        self._isolation.close()

    def verdicts(self, claims: Sequence[Claim]) -> list[dict[str, Verdict]]:
        """The verdict of every verifier on every claim, claims in order, verifiers in recipe order."""
        claims = [_with_bare_gold(claim, self._format) for claim in claims]
        rows: list[dict[str, Verdict]] = [{} for _ in claims]
        for name, built in self._verifiers.items():
            seen = [
                replace(claim, verdicts={**claim.verdicts, **row}) if row else claim
                for claim, row in zip(claims, rows, strict=True)
            ]
            for row, verdict in zip(rows, self._run(built, seen), strict=True):
                row[name] = verdict
                self.tallies[name].add(verdict)
            self._warn(name)
        return rows

    def _run(self, built: Built[Verifier], claims: Sequence[Claim]) -> list[Verdict]:
        verifier = built.component
        if verifier.grouped:
            return self._run_groups(built, claims)
        if isinstance(verifier, AnswerVerifier):
            return self._run_answers(built, verifier, claims)
        if verifier.inline:
            return [run_inline(verifier, lambda: [verifier.verify(claim)])[0] for claim in claims]  # noqa: B023
        return [verdict for (verdict,) in self._isolation.run(built, [(claim,) for claim in claims], "verify")]

    def _run_groups(self, built: Built[Verifier], claims: Sequence[Claim]) -> list[Verdict]:
        groups: defaultdict[str | int, list[int]] = defaultdict(list)
        for index, claim in enumerate(claims):
            groups[claim.group or index].append(index)
        members = [tuple(claims[index] for index in group) for group in groups.values()]
        if built.component.inline:
            verifier = built.component
            found = [run_inline(verifier, lambda: verifier.verify_group(group), len(group)) for group in members]  # noqa: B023
        else:
            found = self._isolation.run(built, members, "group")
        verdicts = {
            i: v for group, row in zip(groups.values(), found, strict=True) for i, v in zip(group, row, strict=True)
        }
        return [verdicts[index] for index in range(len(claims))]

    def _run_answers(self, built: Built[Verifier], verifier: AnswerVerifier, claims: Sequence[Claim]) -> list[Verdict]:
        """Try the memo, then `quick` if it may run inline, then the workers; each distinct answer once."""
        verdicts: dict[int, Verdict] = {}
        waiting: dict[Hashable, list[int]] = {}
        for index, claim in enumerate(claims):
            answer = claim.answer
            if answer is None:
                verdicts[index] = Verdict.unparsed("no answer could be extracted", verifier.range[0])
                continue
            key = memo_key(built.identity, claim, context_free=verifier.context_free)
            verdict = self._memo.get(key)
            if verdict is None and verifier.inline and key not in waiting:
                verdict = _quick(verifier, answer, claim)
                if verdict is not None:
                    self._memo.put(key, verdict)
            if verdict is None:
                waiting.setdefault(key, []).append(index)
            else:
                verdicts[index] = verdict
        first = [(claims[indices[0]],) for indices in waiting.values()]
        found = self._isolation.run(built, first, "check" if verifier.inline else "verify")
        for (key, indices), (verdict,) in zip(waiting.items(), found, strict=True):
            if verdict.cause != "machine":  # it may be decided another time
                self._memo.put(key, verdict)
            verdicts.update(dict.fromkeys(indices, verdict))
        return [verdicts[index] for index in range(len(claims))]

    def _warn(self, name: str) -> None:
        tally = self.tallies[name]
        if tally.claims >= 20 and name not in self._warned and tally.concerns:
            self._warned.add(name)
            for concern in tally.concerns:
                log.warning("verifier '%s': %s", name, concern)


def _quick(verifier: AnswerVerifier, answer: str, claim: Claim) -> Verdict | None:
    """What `quick` decides; None if it leaves the answer to `check`."""
    try:
        found = verifier.quick(answer, claim)
    except Exception as error:  # noqa: BLE001 (the boundary to a component)
        return failed(verifier, error)
    return None if found is None else run_inline(verifier, lambda: [found])[0]


def _with_bare_gold(claim: Claim, format: Format) -> Claim:
    """The claim with its gold taken out of an answer tag, as some data sets keep it."""
    gold = gold_in(claim.example.answer, format)
    return claim if gold is claim.example.answer else replace(claim, example=replace(claim.example, answer=gold))
