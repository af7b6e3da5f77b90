"""Runs a recipe's verifiers over claims: their order, the memo, groups, workers and counts."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self, cast

from openvlt.errors import Fault, Reject, UsageError
from openvlt.extraction import gold_in
from openvlt.interfaces import AnswerVerifier, Asking, AskingVerifier, LookingVerifier, Verifier
from openvlt.records import Claim, Completion, Format, Message, Rejected, Verdict
from openvlt.registry import Built
from openvlt.results import check_messages
from openvlt.verification.checking import FAULT, failed
from openvlt.verification.isolation import Isolation, run_inline
from openvlt.verification.memo import Memo, memo_key
from openvlt.verification.weights import UNWEIGHTED, Weights

log = logging.getLogger(__name__)


class Ask(Protocol):
    """Asks the model of a component each prompt, and returns the replies in order."""

    def __call__(
        self, built: Built[Asking[Any, Any]], prompts: Sequence[Sequence[Message]]
    ) -> Sequence[Completion | Rejected]: ...


BAD_GOLD_SHARE = 0.05
SYSTEM_SHARE = 0.01


@dataclass
class Tally:
    """What one verifier has found so far.

    Attributes:
        claims: verdicts reached.
        statuses: verdicts by status.
        causes: verdicts by who caused them, where they are not plain scores.
        fault: the first failure of the verifier, with the id of its row; empty if there is none.
        faults: its failures by what failed, how and where; none that it has reported itself.
    """

    claims: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    fault: str = ""
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict, row: str = "") -> None:
        self.claims += 1
        self.statuses[verdict.status] += 1
        if verdict.tier == FAULT:
            self.faults[verdict.reason] += 1
        if verdict.cause:
            self.causes[verdict.cause] += 1
            if verdict.cause == "system" and verdict.status == "error":
                self.fault = self.fault or f"{verdict.reason}, on row {row}"

    @property
    def concerns(self) -> list[str]:
        """What a user must know: too many claims without a score, by who caused it."""
        bad, skipped, beside = (self.statuses[name] for name in ("bad_gold", "skipped", "not_applicable"))
        claims = self.claims - beside
        failed, lost = self.causes["system"] - beside, self.causes["machine"] - skipped
        found = []
        if bad > BAD_GOLD_SHARE * claims:
            found.append(f"{bad} of {claims} gold answers cannot be read; their claims are not scored")
        if failed > SYSTEM_SHARE * claims:
            found.append(
                f"{failed} of {claims} claims are not scored because of internal errors, the first: {self.fault}"
            )
        if lost > SYSTEM_SHARE * claims:
            found.append(f"{lost} of {claims} claims are not scored because the machine or an endpoint failed")
        if skipped > SYSTEM_SHARE * claims:
            found.append(f"{skipped} of {claims} claims are not scored because their step ran out of time")
        return found


class VerifierRunner:
    """Runs verifiers over claims. A context manager; leaving it ends its workers.

    Args:
        verifiers: by the name the recipe gives them, in recipe order; later ones see the verdicts of earlier ones.
        format: names the answer tag, for verifiers that read the whole response.
        workers: processes for verifiers that do not run inline; None for this process's share of the CPUs.
        budget: seconds for what one verifier does in workers in one call, for a training step that cannot wait; what is
            not reached has no score. None for no limit.
        ask: for verifiers that ask a model; None if none can be asked here.
        strict: True to end with the first verifier that fails, instead of giving its claim no score.
        images: folder of the image store, for verifiers that look; None if it is not here.

    Attributes:
        tallies: what each verifier has found, by name.

    Raises:
        UsageError: a verifier asks a model, or looks at images, and there are none here.
    """

    def __init__(
        self,
        verifiers: Mapping[str, Built[Verifier]],
        *,
        format: Format,
        workers: int | None = None,
        budget: float | None = None,
        ask: Ask | None = None,
        strict: bool = False,
        images: Path | None = None,
    ) -> None:
        self._strict = strict
        self._verifiers = dict(verifiers)
        self._format = format
        self._memo = Memo()
        self._ask = ask
        self._asking = asking = asking_among(self._verifiers)
        if asking and ask is None:
            raise UsageError(
                f"The verifier '{next(iter(asking))}' asks a model, which nothing here can do.",
                "Use it in a recipe, or in openvlt.reward.",
            )
        looking = [name for name, built in self._verifiers.items() if isinstance(built.component, LookingVerifier)]
        if looking and images is None:
            raise UsageError(
                f"The verifier '{looking[0]}' looks at the images, which are not in a store here.",
                "Use it in a recipe or a benchmark.",
            )
        isolated = [built for name, built in self._verifiers.items() if name not in asking]
        self._isolation = Isolation(isolated, format, workers, budget, images if looking else None)
        self._warned: set[str] = set()
        self.tallies: dict[str, Tally] = {name: Tally() for name in self._verifiers}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        self._isolation.close()

    def verdicts(self, claims: Sequence[Claim], weights: Weights = UNWEIGHTED) -> list[dict[str, Verdict]]:
        """The verdict of every verifier on every claim, claims in order, verifiers in recipe order.

        Args:
            claims: to verify.
            weights: may say that a verifier runs on some claims only; it does not apply to the others.

        Raises:
            Fault: a verifier failed, and the runner is strict.
        """
        claims = [_with_bare_gold(claim, self._format) for claim in claims]
        rows: list[dict[str, Verdict]] = [{} for _ in claims]
        for name, built in self._verifiers.items():
            asks = name in self._asking
            run = [
                weights.run(name, claim.example.source, row, asks=asks) for claim, row in zip(claims, rows, strict=True)
            ]
            seen = [
                replace(claim, verdicts={**claim.verdicts, **row}) if row else claim
                for claim, row, chosen in zip(claims, rows, run, strict=True)
                if chosen
            ]
            found = iter(self._run_asking(self._asking[name], seen) if asks else self._run(built, seen))
            for claim, row, chosen in zip(claims, rows, run, strict=True):
                row[name] = next(found) if chosen else Verdict.not_applicable("the rewards do not ask for it")
                self.tallies[name].add(row[name], claim.example.id)
                if self._strict and row[name].tier == FAULT:
                    raise Fault.of(row[name].reason, claim.example.id)
            self._warn(name)
        return rows

    def _run(self, built: Built[Verifier], claims: Sequence[Claim]) -> list[Verdict]:
        verifier = built.component
        if verifier.grouped:
            return self._run_groups(built, claims)
        if isinstance(verifier, AnswerVerifier):
            return self._run_answers(built, verifier, claims)
        if _is_inline(verifier):
            return [run_inline(built, "verify", lambda: [verifier.verify(claim)])[0] for claim in claims]  # noqa: B023
        return [verdict for (verdict,) in self._isolation.run(built, [(claim,) for claim in claims], "verify")]

    def _run_groups(self, built: Built[Verifier], claims: Sequence[Claim]) -> list[Verdict]:
        groups: defaultdict[str | int, list[int]] = defaultdict(list)
        for index, claim in enumerate(claims):
            groups[claim.group or index].append(index)
        members = [tuple(claims[index] for index in group) for group in groups.values()]
        if _is_inline(built.component):
            verifier = built.component
            found = [
                run_inline(built, "verify_group", lambda: verifier.verify_group(group), len(group))  # noqa: B023
                for group in members
            ]
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
                verdict = _quick(built, verifier, answer, claim)
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

    def _run_asking(self, built: Built[AskingVerifier], claims: Sequence[Claim]) -> list[Verdict]:
        """Decide what needs no model, and ask about the others together."""
        assert self._ask is not None
        verifier, verdicts = built.component, dict[int, Verdict]()
        prompts: dict[int, Sequence[Message]] = {}
        for index, claim in enumerate(claims):
            try:
                found = verifier.messages(claim)
                if not isinstance(found, Verdict):
                    prompts[index] = check_messages(found)
            except BaseException as error:  # noqa: BLE001 (the boundary to a component)
                verdicts[index] = failed(built, "messages", error)
            else:
                if isinstance(found, Verdict):
                    [verdicts[index]] = run_inline(built, "messages", lambda: [found])  # noqa: B023 - called at once
        replies = self._ask(built, list(prompts.values())) if prompts else []
        for index, reply in zip(prompts, replies, strict=True):
            verdicts[index] = _judged(built, reply, claims[index])
        return [verdicts[index] for index in range(len(claims))]

    def _warn(self, name: str) -> None:
        tally = self.tallies[name]
        if tally.claims >= 20 and name not in self._warned and tally.concerns:
            self._warned.add(name)
            for concern in tally.concerns:
                log.warning("verifier '%s': %s", name, concern)


def asking_among(verifiers: Mapping[str, Built[Verifier]]) -> dict[str, Built[AskingVerifier]]:
    """Those of the verifiers that ask a model."""
    asks = {name: built for name, built in verifiers.items() if isinstance(built.component, AskingVerifier)}
    return cast(dict[str, Built[AskingVerifier]], asks)


def _is_inline(verifier: Verifier) -> bool:
    return verifier.inline and not isinstance(verifier, LookingVerifier)


def _judged(built: Built[AskingVerifier], reply: Completion | Rejected, claim: Claim) -> Verdict:
    """The verdict that a reply contains; without a usable one the claim has no score."""
    if isinstance(reply, Rejected):
        return (Verdict.lost if reply.transient else Verdict.error)(f"no reply: {reply.reason}")
    try:
        found = built.component.parse(reply, claim)
    except Reject as reject:
        return Verdict.error(f"the reply is no verdict: {reject.reason}")
    except BaseException as error:  # noqa: BLE001 (the boundary to a component)
        return failed(built, "parse", error)
    return run_inline(built, "parse", lambda: [found])[0]


def _quick(built: Built[Any], verifier: AnswerVerifier, answer: str, claim: Claim) -> Verdict | None:
    """What `quick` decides; None if it leaves the answer to `check`."""
    try:
        found = verifier.quick(answer, claim)
    except BaseException as error:  # noqa: BLE001 (the boundary to a component)
        return failed(built, "quick", error)
    return None if found is None else run_inline(built, "quick", lambda: [found])[0]


def _with_bare_gold(claim: Claim, format: Format) -> Claim:
    """The claim with its gold taken out of an answer tag, as some data sets keep it."""
    gold = gold_in(claim.example.answer, format)
    return claim if gold is claim.example.answer else replace(claim, example=replace(claim.example, answer=gold))
