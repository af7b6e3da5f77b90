"""Runs verifiers in workers, or inline, and turns their failures into verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from threading import Lock
from typing import TypeVar

from openvlt.interfaces import Verifier
from openvlt.records import Claim, Format, Trace, Verdict
from openvlt.registry import Built
from openvlt.verification.messages import Reply, Setup, Task
from openvlt.verification.pool import Failed, Pool

T = TypeVar("T")
Group = tuple[Claim, ...]


def run_inline(verify: Callable[[], T]) -> T | Verdict:
    """Call a verifier in this process; an exception it raises is an internal error, which scores nothing."""
    try:
        return verify()
    except Exception as error:  # noqa: BLE001 (the boundary to a component)
        return Verdict.error(f"{type(error).__name__}: {error}"[:500])


def run_group_inline(verifier: Verifier, claims: Group) -> list[Verdict]:
    """Call a verifier on a group in this process; see `run_inline`."""
    found = run_inline(lambda: verifier.verify_group(claims))
    return [found] * len(claims) if isinstance(found, Verdict) else found


class Isolation:
    """The workers of verifiers that do not run inline; they start when they are first needed.

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
        self._sound: dict[tuple[str, str], bool] = {}
        self._lock = Lock()

    def close(self) -> None:
        """End the workers."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()

    def run(self, built: Built[Verifier], groups: Sequence[Group], how: str) -> list[list[Verdict]]:
        """The verdicts on the claims of each group, in order; `how` as in `Task`."""
        if not groups:
            return []
        tasks = [Task(verifier=built.identity, claims=tuple(map(_sendable, group)), how=how) for group in groups]
        results = self._running().run(tasks)
        return [
            list(result.verdicts) if isinstance(result, Reply) else [self._blame(built, group, result)] * len(group)
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

    def _blame(self, built: Built[Verifier], group: Group, failed: Failed) -> Verdict:
        """The verdict where a worker gave none: the response is the cause only if the verifier copes with the gold."""
        if failed.how in {"stalled", "budget"}:
            return Verdict.timeout("system", failed.reason)
        if failed.how == "start" or not self._is_sound(built, group[0]):
            return Verdict.error(failed.reason)
        lowest = built.component.range[0]
        if failed.how == "timeout":
            return Verdict.timeout("response", failed.reason, lowest)
        return Verdict(status="error", score=lowest, reason=failed.reason, cause="response")

    def _is_sound(self, built: Built[Verifier], claim: Claim) -> bool:
        """True if the verifier gives a verdict on the gold itself as the response; tried once for each gold."""
        gold = claim.example.answer
        key = (built.identity, gold)
        if key not in self._sound:
            tag = self._format.answer
            trace = Trace(think="", answer=gold, raw=f"<{tag}>{gold}</{tag}>")
            control = Task(verifier=built.identity, claims=(_sendable(replace(claim, trace=trace)),))
            self._sound[key] = isinstance(self._running().run([control])[0], Reply)
        return self._sound[key]


def _sendable(claim: Claim) -> Claim:
    """The claim without lone surrogates, which UTF-8 cannot carry."""
    try:
        (claim.response + (claim.answer or "") + claim.example.answer).encode()
    except UnicodeEncodeError:
        trace = replace(claim.trace, raw=_encodable(claim.trace.raw), think=_encodable(claim.trace.think))
        trace = replace(
            trace, explanation=_encodable(trace.explanation), answer=trace.answer and _encodable(trace.answer)
        )
        return replace(claim, trace=trace, example=replace(claim.example, answer=_encodable(claim.example.answer)))
    return claim


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
