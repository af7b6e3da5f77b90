"""Runs verifiers inline or in workers, and turns their failures into verdicts."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any

from openvlt import forks
from openvlt.interfaces import Verifier
from openvlt.records import Claim, Format, Trace, Verdict
from openvlt.registry import Built
from openvlt.results import check_verdicts, encodable
from openvlt.verification.batch import Batch, Failed
from openvlt.verification.checking import failed, unusable
from openvlt.verification.messages import Mode, Reply, Setup, Task
from openvlt.verification.pool import Pool

Group = tuple[Claim, ...]


def run_inline(built: Built[Any], method: str, verify: Callable[[], Any], count: int = 1) -> list[Verdict]:
    """The verdicts of one call in this process; an exception becomes the verdict that the verifier failed.

    Args:
        built: the verifier that is called.
        method: of it, for the message.
        verify: returns a sequence of verdicts.
        count: claims it is given.
    """
    try:
        return check_verdicts(verify(), count, built.component.range)
    except BaseException as error:  # noqa: BLE001 (the boundary to a component)
        return [failed(built, method, error)] * count


class Isolation:
    """Runs verifiers in the workers of this process, which start when they are first needed.

    Args:
        verifiers: all that may run in the workers.
        format: names the tags.
        workers: how many run at once.
        budget: seconds for one call; None for no limit.
        images: folder of the image store; None if it is not here.
    """

    def __init__(
        self,
        verifiers: Iterable[Built[Verifier]],
        format: Format,
        workers: int | None,
        budget: float | None,
        images: Path | None,
    ) -> None:
        self._verifiers = {built.identity: built for built in verifiers}
        self._format = format
        self._workers = workers
        self._budget = budget
        self._images = str(images or "")
        self._pool: Pool | None = None
        self._release: Callable[[], object] = lambda: None
        self._gold_checks: dict[tuple[str, str], Failed | None] = {}
        self._slow: set[str] = set()
        self._lock = forks.renewed_at_fork(RLock())

    def close(self) -> None:
        """End the workers unless somebody else uses them."""
        with self._lock:
            self._pool = None
            self._release()

    def run(self, built: Built[Verifier], groups: Sequence[Group], mode: Mode) -> list[list[Verdict]]:
        """The verdicts on the claims of each group, in order; `mode` as in `Task`."""
        if not groups:
            return []
        # Cheap ones first: golds whose answers took too long before come last, and the short before the long.
        order = sorted(range(len(groups)), key=lambda index: (_gold(groups[index]) in self._slow, _size(groups[index])))
        batch = Batch(self._running(), [_task(built, groups[index], mode) for index in order], self._budget)
        found = dict(zip(order, batch.run(), strict=True))
        return [self._verdicts(built, group, found[index]) for index, group in enumerate(groups)]

    def _verdicts(self, built: Built[Verifier], group: Group, result: Reply | Failed) -> list[Verdict]:
        if isinstance(result, Reply):
            return list(result.verdicts)
        if result.category == "timeout":
            self._slow.add(_gold(group))
        return [self._failure(built, group, result)] * len(group)

    def _running(self) -> Pool:
        with self._lock:
            if self._pool is None:
                specs = {key: built.spec for key, built in self._verifiers.items()}
                modules = {built.entry.target.rpartition(":")[0] for built in self._verifiers.values()}
                memory = max(built.component.memory for built in self._verifiers.values())
                files = tuple(sorted(module for module in modules if module.endswith(".py")))
                self._pool = Pool.shared(
                    Setup(verifiers=specs, memory=memory, files=files, format=self._format, images=self._images),
                    self._workers,
                )
                # for the runners that nobody closes, such as those of a reward function
                self._release = weakref.finalize(self, self._pool.release)
            return self._pool

    def _failure(self, built: Built[Verifier], group: Group, failed: Failed) -> Verdict:
        """The verdict where a worker gave none.

        A loop or a crash may be the fault of the response or of the verifier. The response is to blame, and scores
        lowest, only if the same verifier copes with the gold as the response; else the claim has no score.
        """
        lowest = built.component.range[0]
        if failed.category == "budget":
            return Verdict.skipped(failed.reason)
        if failed.category == "machine":
            return Verdict.lost(failed.reason)
        if failed.category == "verifier":
            return unusable(built, failed.reason)
        control = self._on_gold(built, group[0])
        if isinstance(control, Failed) and (control.category in {"machine", "killed"} or failed.category == "killed"):
            return Verdict.lost(failed.reason)
        if isinstance(control, Failed):
            return unusable(built, f"fails on the gold too: {failed.reason}")
        if failed.category == "timeout":
            return Verdict.timeout("response", failed.reason, lowest)
        return Verdict(status="error", score=lowest, reason=failed.reason, cause="response")

    def _on_gold(self, built: Built[Verifier], claim: Claim) -> Failed | None:
        """What the verifier makes of the gold as the response; None if it reaches a verdict. Tried once a gold."""
        gold = claim.example.answer
        key = (built.identity, gold)
        if key not in self._gold_checks:
            tag = self._format.answer
            trace = Trace(think="", answer=gold, raw=f"<{tag}>{gold}</{tag}>")
            [result] = Batch(self._running(), [_task(built, (replace(claim, trace=trace),), "verify")]).run()
            found = result if isinstance(result, Failed) else None
            if found is not None and found.category in {"machine", "killed", "verifier"}:
                return found
            self._gold_checks[key] = found
        return self._gold_checks[key]


def _task(built: Built[Verifier], group: Group, mode: Mode) -> Task:
    claims = tuple(map(_sendable, group))
    return Task(verifier=built.identity, claims=claims, seconds=built.component.seconds, mode=mode)


def _gold(group: Group) -> str:
    return group[0].example.answer


def _size(group: Group) -> int:
    return sum(len(claim.response if claim.answer is None else claim.answer) for claim in group)


def _sendable(claim: Claim) -> Claim:
    """The claim without lone surrogates, which UTF-8 cannot encode."""
    try:
        (claim.response + (claim.answer or "") + claim.example.answer).encode()
    except UnicodeEncodeError:
        trace = replace(
            claim.trace,
            raw=encodable(claim.trace.raw),
            think=encodable(claim.trace.think),
            explanation=encodable(claim.trace.explanation),
            answer=claim.trace.answer and encodable(claim.trace.answer),
        )
        return replace(claim, trace=trace, example=replace(claim.example, answer=encodable(claim.example.answer)))
    return claim
