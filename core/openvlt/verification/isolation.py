"""Runs verifiers inline or in workers, and turns their failures into verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from threading import Lock
from typing import TypeVar

from openvlt.interfaces import Verifier
from openvlt.records import Claim, Format, Trace, Verdict
from openvlt.registry import Built
from openvlt.verification.messages import Mode, Reply, Setup, Task
from openvlt.verification.pool import Failed, Pool

T = TypeVar("T")
Group = tuple[Claim, ...]


def run_inline(verify: Callable[[], T]) -> T | Verdict:
    """Call a verifier in this process; an exception becomes the verdict that it failed, without a score."""
    try:
        return verify()
    except Exception as error:  # noqa: BLE001 (the boundary to a component)
        return Verdict.error(f"{type(error).__name__}: {error}"[:500])


def run_group_inline(verifier: Verifier, claims: Group) -> list[Verdict]:
    """Call a verifier on a group in this process; see `run_inline`."""
    found = run_inline(lambda: verifier.verify_group(claims))
    return [found] * len(claims) if isinstance(found, Verdict) else found


class Isolation:
    """Runs verifiers in workers, which start when they are first needed.

    Args:
        verifiers: all that may run in the workers.
        format: names the tags.
        workers: how many run at once.
    """

    def __init__(self, verifiers: Iterable[Built[Verifier]], format: Format, workers: int | None) -> None:
        self._verifiers = {built.identity: built for built in verifiers}
        self._format = format
        self._workers = workers
        self._pool: Pool | None = None
        self._gold_checks: dict[tuple[str, str], bool] = {}
        self._lock = Lock()

    def close(self) -> None:
        """End the workers."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()

    def run(self, built: Built[Verifier], groups: Sequence[Group], mode: Mode) -> list[list[Verdict]]:
        """The verdicts on the claims of each group, in order; `mode` as in `Task`."""
        if not groups:
            return []
        tasks = [Task(verifier=built.identity, claims=tuple(map(_sendable, group)), mode=mode) for group in groups]
        results = self._running().run(tasks)
        return [
            list(result.verdicts) if isinstance(result, Reply) else [self._failure(built, group, result)] * len(group)
            for group, result in zip(groups, results, strict=True)
        ]

    def _running(self) -> Pool:
        with self._lock:
            if self._pool is None:
                specs = {key: built.spec for key, built in self._verifiers.items()}
                modules = {built.entry.target.rpartition(":")[0] for built in self._verifiers.values()}
                files = tuple(sorted(module for module in modules if module.endswith(".py")))
                self._pool = Pool(Setup(verifiers=specs, files=files, format=self._format), self._workers)
            return self._pool

    def _failure(self, built: Built[Verifier], group: Group, failed: Failed) -> Verdict:
        """The verdict where a worker gave none.

        A hang or a crash may be the fault of the response or of the verifier. The response is to blame, and scores
        lowest, only if the same verifier copes with the gold as the response; else the claim has no score.
        """
        if failed.category in {"stalled", "budget"}:
            return Verdict.timeout("system", failed.reason)
        if failed.category == "start" or not self._handles_gold(built, group[0]):
            return Verdict.error(failed.reason)
        lowest = built.component.range[0]
        if failed.category == "timeout":
            return Verdict.timeout("response", failed.reason, lowest)
        return Verdict(status="error", score=lowest, reason=failed.reason, cause="response")

    def _handles_gold(self, built: Built[Verifier], claim: Claim) -> bool:
        """True if the verifier reaches a verdict on the gold as the response; tried once for each gold."""
        gold = claim.example.answer
        key = (built.identity, gold)
        if key not in self._gold_checks:
            tag = self._format.answer
            trace = Trace(think="", answer=gold, raw=f"<{tag}>{gold}</{tag}>")
            control = Task(verifier=built.identity, claims=(_sendable(replace(claim, trace=trace)),))
            self._gold_checks[key] = isinstance(self._running().run([control])[0], Reply)
        return self._gold_checks[key]


def _sendable(claim: Claim) -> Claim:
    """The claim without lone surrogates, which UTF-8 cannot encode."""
    try:
        (claim.response + (claim.answer or "") + claim.example.answer).encode()
    except UnicodeEncodeError:
        trace = replace(
            claim.trace,
            raw=_encodable(claim.trace.raw),
            think=_encodable(claim.trace.think),
            explanation=_encodable(claim.trace.explanation),
            answer=claim.trace.answer and _encodable(claim.trace.answer),
        )
        return replace(claim, trace=trace, example=replace(claim.example, answer=_encodable(claim.example.answer)))
    return claim


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
